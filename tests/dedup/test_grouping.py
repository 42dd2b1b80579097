"""Groups of near duplicates: the same in one run or many, in any blocks, and what brute force finds."""

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

import embank
from embank import DedupSettings
from embank.dedup.grouping import Grouping
from embank.dedup.union_find import Joining
from embank.errors import UsageError
from embank.linalg.cosine import cosines
from embank.store.folder import Store

COLUMN = "given/0/own@float32"


def made(texts, seed, noise=0.35):
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, texts // 3), 6))
    return (centres[random.integers(0, len(centres), texts)] + noise * random.standard_normal((texts, 6))).astype(
        np.float32
    )


def bank_of(path, vectors, codec="float32"):
    bank = embank.Bank.create(path)
    bank.put([f"t{at}" for at in range(len(vectors))], vectors, f"given/0/own@{codec}", ids=list(range(len(vectors))))
    return bank


def by_hand(vectors, threshold):
    """Lowest member of each text's group, by comparing every text with every other."""
    near = np.array([cosines(vectors, np.repeat(row[None], len(vectors), axis=0)) >= threshold for row in vectors])
    _, group = connected_components(near, directed=False)
    return np.array([np.flatnonzero(group == own)[0] for own in group])


def grouped(bank, threshold, block=4096):
    with Store(bank.path) as store:
        return Grouping(store, store.column(COLUMN), threshold, block=block).groups()


@settings(
    max_examples=settings.default.max_examples // 4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    texts=st.integers(1, 60),
    seed=st.integers(0, 99),
    block=st.integers(1, 70),
    threshold=st.sampled_from([0.5, 0.9, 0.99]),
    cuts=st.lists(st.integers(0, 60), max_size=2),
)
def test_groups_equal_brute_force_in_any_blocks_and_any_number_of_runs(tmp_path, texts, seed, block, threshold, cuts):
    vectors = made(texts, seed)
    shutil.rmtree(tmp_path / "bank", ignore_errors=True)
    with embank.Bank.create(tmp_path / "bank") as bank:
        begun = 0
        for end in [*sorted(min(cut, texts) for cut in cuts), texts]:
            if end == begun:
                continue
            bank.put([f"t{at}" for at in range(begun, end)], vectors[begun:end], COLUMN)
            found = grouped(bank, threshold, block)
            assert found.known == begun
            assert found.compared == sum(range(end)) - sum(range(begun))
            begun = end
    assert found.representatives.tolist() == by_hand(vectors, threshold).tolist()


@settings(max_examples=settings.default.max_examples * 3 // 5, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40), size=st.integers(1, 7))
def test_joining_in_any_portions_gives_connected_components(pairs, size):
    joining = Joining(np.arange(20))
    for at in range(0, len(pairs), size):
        some = np.array(pairs[at : at + size], np.int64).reshape(-1, 2)
        joining.join(some[:, 0], some[:, 1])
    near = np.zeros((20, 20))
    for one, other in pairs:
        near[one, other] = 1
    _, group = connected_components(near, directed=False)
    assert joining.lowest(np.arange(20)).tolist() == [int(np.flatnonzero(group == own)[0]) for own in group]


def test_a_second_run_compares_nothing_and_gives_the_same(tmp_path):
    with bank_of(tmp_path / "bank", made(80, 1)) as bank:
        first, second = grouped(bank, 0.9), grouped(bank, 0.9)
        assert (second.compared, second.known) == (0, 80)
        assert second.representatives.tolist() == first.representatives.tolist()
        assert grouped(bank, 0.8).known == 0


def test_forgetting_a_text_that_held_a_group_together_lets_it_fall_apart(tmp_path):
    angles = np.array([0.0, 0.3, 0.6])
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    with bank_of(tmp_path / "bank", chain) as bank:
        assert grouped(bank, 0.9).representatives.tolist() == [0, 0, 0]
        bank.forget_ids([1])
        again = grouped(bank, 0.9)
        assert (again.texts.tolist(), again.representatives.tolist(), again.known) == ([0, 2], [0, 2], 0)


def test_a_column_that_was_given_anew_is_compared_anew(tmp_path):
    vectors = made(30, 2)
    with bank_of(tmp_path / "bank", vectors) as bank:
        grouped(bank, 0.9)
        bank.put(["another"], vectors[:1], "other/0/own")
        bank.forget_column(COLUMN)
        bank.put([f"t{at}" for at in range(30)], vectors[::-1].copy(), COLUMN)
        found = grouped(bank, 0.9)
        assert found.known == 0
        assert found.representatives.tolist() == by_hand(vectors[::-1], 0.9).tolist()


def test_an_older_text_that_got_its_row_late_is_compared_too(tmp_path):
    vectors = made(20, 4)
    with embank.Bank.create(tmp_path / "bank") as bank:
        bank.put(["first"], vectors[:1], "other/0/own")
        bank.put([f"t{at}" for at in range(1, 20)], vectors[1:], COLUMN)
        grouped(bank, 0.8)
        bank.put(["first"], vectors[:1], COLUMN)
        assert grouped(bank, 0.8).representatives.tolist() == by_hand(vectors, 0.8).tolist()


@pytest.mark.parametrize(
    "damage",
    [lambda old: old[:-9], lambda old: old[:-9] + bytes(9), lambda _: b"", lambda old: old[:40] + b"x" + old[41:]],
)
def test_what_is_remembered_wrongly_is_not_used(tmp_path, damage):
    with bank_of(tmp_path / "bank", made(40, 5)) as bank:
        first = grouped(bank, 0.9)
        (kept,) = (bank.path / "duplicates").iterdir()
        kept.write_bytes(damage(kept.read_bytes()))
        again = grouped(bank, 0.9)
        assert again.known == 0
        assert again.representatives.tolist() == first.representatives.tolist()
        assert grouped(bank, 0.9).known == 40


def test_a_run_that_is_killed_while_it_writes_leaves_what_was_remembered_before(tmp_path, monkeypatch):
    vectors = made(40, 6)
    with bank_of(tmp_path / "bank", vectors[:30]) as bank:
        grouped(bank, 0.9)
        bank.put([f"t{at}" for at in range(30, 40)], vectors[30:], COLUMN)

        def killed(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", killed)
            with pytest.raises(KeyboardInterrupt):
                grouped(bank, 0.9)
        found = grouped(bank, 0.9)
        assert found.known == 30
        assert found.representatives.tolist() == by_hand(vectors, 0.9).tolist()


@pytest.mark.parametrize(("codec", "least"), [("float16", 100), ("int8", 100), ("binary", 90)])
def test_planted_duplicates_are_found_at_every_precision(tmp_path, codec, least):
    random = np.random.default_rng(7)
    own = random.standard_normal((400, 48)).astype(np.float32)
    copies = own[:100] + 0.05 * random.standard_normal((100, 48)).astype(np.float32)
    with bank_of(tmp_path / "bank", np.concatenate([own, copies]), codec) as bank:
        rows = [row for block in bank.dedup(DedupSettings(0.9)).blocks() for row in block["id"]]
        assert len(set(rows) & set(range(400, 500))) >= least


@pytest.mark.parametrize("runs", [[500], [300, 500]])
def test_an_approximate_run_finds_nearly_all_of_what_an_exact_one_finds(tmp_path, runs):
    pytest.importorskip("usearch")
    vectors = made(500, 11)
    begun = 0
    with embank.Bank.create(tmp_path / "bank") as bank:
        for end in runs:
            bank.put([f"t{at}" for at in range(begun, end)], vectors[begun:end], COLUMN)
            near = bank.dedup(DedupSettings(0.97, None, "approximate"))
            assert (near.report.known, near.report.way) == (begun, "approximate")
            begun = end
        exact = bank.dedup(DedupSettings(0.97))
    assert exact.report.known == 0
    assert near.report.texts_in_groups >= 0.99 * exact.report.texts_in_groups > 100


def test_an_approximate_run_has_no_cap_on_a_group(tmp_path):
    pytest.importorskip("usearch")
    vectors = np.concatenate([np.ones((300, 8)), np.eye(8)]).astype(np.float32)
    with bank_of(tmp_path / "bank", vectors) as bank:
        report = bank.dedup(DedupSettings(0.99, None, "approximate")).report
        assert (report.groups, report.texts_in_groups) == (1, 300)


def test_many_equal_texts_are_one_group_without_a_cap(tmp_path):
    with bank_of(tmp_path / "bank", np.ones((5000, 4), np.float32)) as bank:
        found = bank.dedup(DedupSettings(1.0))
        assert (found.report.groups, found.report.texts_in_groups) == (1, 5000)
        assert sum(len(block["id"]) for block in found.blocks()) == 5000


def test_groups_name_every_id_with_the_representative_first_and_its_score(tmp_path):
    angles = np.array([0.0, 0.3, 1.5, 3.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    with embank.Bank.create(tmp_path / "bank") as bank:
        bank.put(
            ["a", "b", "c", "c", "d", "a"],
            vectors[[0, 1, 2, 2, 3, 0]],
            COLUMN,
            ids=["a1", "b1", "c1", "c2", "d1", "a2"],
        )
        found = bank.dedup()
        (block,) = found.blocks()
    assert block["id"] == ["a1", "a2", "b1", "c1", "c2"]
    assert block["representative"] == ["a1", "a1", "a1", "c1", "c1"]
    assert block["group"].tolist() == [0, 0, 0, 1, 1]
    assert block["exact"].tolist() == [True, True, False, True, True]
    np.testing.assert_allclose(block["score"], [1, 1, np.cos(0.3), 1, 1], atol=1e-6)
    report = found.report
    assert (report.groups, report.texts_in_groups, report.repeated_ids, report.texts) == (2, 2, 2, 4)


def test_what_does_not_fit_is_refused_in_words(tmp_path):
    for threshold in (0, -1, 1.01, float("nan")):
        with pytest.raises(UsageError, match="above 0 and at most 1"):
            DedupSettings(threshold)
    with embank.Bank.create(tmp_path / "empty") as bank, pytest.raises(UsageError, match="no vectors yet"):
        bank.dedup()
