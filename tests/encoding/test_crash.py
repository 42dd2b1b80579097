"""Writers are killed at every durable step and at random instants: nothing committed is lost, nothing is ever half."""

import random
from pathlib import Path

import numpy as np
import pytest

from embank.encoding.columns import readout_of
from embank.recipe import ColumnName
from embank.store.decoding import codec_of
from embank.store.folder import Store, is_bank
from embank.store.verification import verify
from embank.testing import FakeEncoder
from embank.texts import text_key
from store import crashing
from store.crashing import BITS, FIRST, FORGOTTEN, MINE, NEW, SECOND, TASK, TEXTS, fresh, killer

WRITING = ("encode", "put", "forget", "drop", "fit", "unfit", "merge", "add")
AT_REST = {"embank.json", "catalogue.sqlite", "lock"}


@pytest.fixture(scope="module")
def server():
    with killer() as process:
        yield process


@pytest.fixture(scope="module")
def template(tmp_path_factory, server) -> Path:
    root = tmp_path_factory.mktemp("template") / "bank"
    assert not server.run("base", root)
    return root


def of_column(name: str, texts: list[str]) -> np.ndarray:
    if name == MINE:
        return crashing.given(texts)
    readout = readout_of(ColumnName.parse(name))
    return np.stack([FakeEncoder().vector_of(text, readout) for text in texts])


def contents(store: Store) -> dict[str, set[str]]:
    """Which texts each column has, after all its bytes were found to be those that the encoder gives."""
    known = {text_key(text): text for text in TEXTS}
    numbers, keys = store.catalogue.numbered_keys()
    texts = {number: known[key.tobytes()] for number, key in zip(numbers.tolist(), keys, strict=True)}
    found = {"": set(texts.values())}
    for name, column in store.catalogue.columns().items():
        reader = store.reader(name)
        covered = reader.covered()
        own = [texts[number] for number in covered.tolist()]
        if own:
            expected = codec_of(store, column).encode(of_column(name, own))
            np.testing.assert_array_equal(reader.gather(covered), expected)
        found[name] = set(own)
    ids = store.catalogue.ids_between(0, 1 << 40)
    assert all(texts[number] == TEXTS[name] for number, name in ids)
    found["ids"] = {TEXTS[name] for _, name in ids}
    found["bodies"] = {texts[number] for number, _ in store.catalogue.bodies()}
    return found


def orphans(root: Path, store: Store) -> set[str]:
    """Files that nothing speaks of."""
    catalogue = store.catalogue
    listed = {part.file for segment in catalogue.segments() for part in segment.parts}
    listed |= {column.calibration.file for column in catalogue.columns().values() if column.calibration}
    listed |= {part.file for task in catalogue.tasks().values() for part in task.parts}
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    beside = {f"catalogue.sqlite-{kind}" for kind in ("wal", "shm")}  # open just now
    return there - listed - AT_REST - beside


def state(root: Path) -> dict:
    with Store(root) as store:
        assert verify(store) == []
        tasks = {name: task.record for name, task in store.catalogue.tasks().items()}
        return contents(store) | {"tasks": tasks}


def finished(server, job: str, root: Path) -> dict:
    """The bank after the job was done again, by a process that nobody kills."""
    assert not server.run(job, root)
    found = state(root)
    with Store(root) as store:
        assert orphans(root, store) == set()
    return found


@pytest.mark.parametrize("job", WRITING)
def test_a_writer_killed_at_any_durable_step_leaves_a_whole_bank_that_the_next_run_completes(
    server, template, tmp_path, job
):
    before = state(template)
    after = finished(server, job, fresh(template, tmp_path / "whole"))
    states = []
    step, killed = 0, True
    while killed:
        step += 1
        root = fresh(template, tmp_path / "bank")
        killed = server.run(job, root, last=step)
        states.append(state(root))
        assert finished(server, job, root) == after, f"killed at instant {step}"
    assert step > 5
    assert states[0] == before
    assert states[-1] == after
    sizes = [sum(map(len, found.values())) for found in states]
    assert sizes == sorted(sizes, reverse=sizes[0] > sizes[-1])  # what was committed stays so
    if job not in ("encode", "put"):
        assert all(found in (before, after) for found in states)


def test_forgetting_is_all_or_nothing_in_every_column(server, template, tmp_path):
    seen = []
    step, killed = 0, True
    while killed:
        step += 1
        root = fresh(template, tmp_path / "bank")
        killed = server.run("forget", root, last=step)
        found = state(root)
        left = [bool(texts & set(FORGOTTEN)) for name, texts in found.items() if name != "tasks"]
        assert len(set(left)) == 1, left
        seen.append(left[0])
    assert seen == sorted(seen, reverse=True)
    assert (seen[0], seen[-1]) == (True, False)


def test_a_bank_whose_making_was_killed_can_be_made_again(server, tmp_path):
    step, killed = 0, True
    while killed:
        step += 1
        root = fresh(tmp_path / "nothing", tmp_path / "bank")
        killed = server.run("create", root, last=step)
        if is_bank(root):
            state(root)
        assert finished(server, "create", root) == {"": set(), "ids": set(), "bodies": set(), "tasks": {}}
    assert step > 5


def test_an_encoder_is_known_to_the_bank_as_soon_as_it_has_a_column(server, template, tmp_path):
    for job, encoder in (("encode", "fake"), ("put", "mine")):
        step, killed = 0, True
        while killed:
            step += 1
            root = fresh(tmp_path / "nothing", tmp_path / "bank")
            server.run("create", root)
            killed = server.run(job, root, last=step)
            server.run(job, root)
            with Store(root) as store:
                assert encoder in store.catalogue.encoders(), f"{job} killed at instant {step}"


@pytest.mark.parametrize("seed", range(40))
def test_a_writer_killed_at_a_random_instant_leaves_a_whole_bank_that_the_next_run_completes(
    server, template, tmp_path, seed
):
    draw = random.Random(seed)
    job = draw.choice(["encode", "encode", "encode", "put", "forget", "merge"])
    after = finished(server, job, fresh(template, tmp_path / "whole"))
    root = fresh(template, tmp_path / "bank")
    while server.run(job, root, after=draw.randint(1, 400)):
        state(root)
        if draw.random() < 0.3:
            break
    assert finished(server, job, root) == after


def test_the_jobs_do_what_their_names_say(server, template, tmp_path):
    before = state(template)
    found = {job: finished(server, job, fresh(template, tmp_path / job)) for job in WRITING}
    assert found["encode"][BITS] >= set(NEW)
    assert found["encode"][FIRST] >= set(NEW)
    assert found["put"][MINE] > before[MINE]
    assert not found["forget"][""] & set(FORGOTTEN)
    assert SECOND not in found["drop"]
    assert found["fit"]["tasks"] != before["tasks"]
    assert TASK not in found["unfit"]["tasks"]
    assert set(found["add"]) - set(before) == {"fake/2/mean+unit@binary"}
    with Store(tmp_path / "merge") as merged, Store(template) as many:
        assert merged.reader(FIRST).covered().tolist() == many.reader(FIRST).covered().tolist()
        column = many.column(FIRST).number
        assert len(merged.catalogue.segments(column)) < len(many.catalogue.segments(column))
