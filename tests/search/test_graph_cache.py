"""The graph that a bank keeps is never older than its column: it is extended, or built again, before it is asked."""

import numpy as np
import pytest

from embank.errors import UsageError
from embank.search import SearchSettings
from embank.search.column import SearchedColumn
from embank.search.graph_cache import current_graph
from embank.store.folder import Store

pytest.importorskip("usearch", reason="needs the extra 'search'")

COLUMN = "given/0/own@float32"
NEAR = SearchSettings(5, COLUMN, (), "approximate")


def graph_of(bank, column=COLUMN):
    with Store(bank.path) as store:
        graph, state = current_graph(store, SearchedColumn(store, column))
        return len(graph), state


def kept(bank):
    return sorted((bank.path / "index").iterdir())


def test_approximate_search_finds_what_exact_search_finds_with_the_same_scores(bank, vectors):
    exact = bank.search(vectors[:40], SearchSettings(5, COLUMN)).to_pylist()
    near = bank.search(vectors[:40], NEAR).to_pylist()
    scores = {(row["query"], row["id"]): row["score"] for row in exact}
    assert sum((row["query"], row["id"]) in scores for row in near) > 0.97 * len(exact)
    for row in near:
        assert scores.get((row["query"], row["id"]), row["score"]) == row["score"]


def test_a_graph_is_built_once_and_extended_with_what_is_new(bank, vectors):
    assert graph_of(bank) == (300, "built")
    assert graph_of(bank) == (300, "current")
    bank.put(["another"], -vectors[:1], COLUMN, ids=["new"])
    assert bank.search(-vectors[:1], NEAR).to_pydict()["id"][0] == "new"
    assert graph_of(bank) == (301, "current")
    bank.put(["a third"], vectors[:1], COLUMN)
    assert graph_of(bank) == (302, "extended")


def test_forgotten_texts_are_not_found_and_the_graph_is_built_again(bank, vectors):
    graph_of(bank)
    bank.forget_ids(["id7"])
    assert "id7" not in bank.search(vectors[7:8], NEAR).to_pydict()["id"]
    bank.forget_ids(["id8"])
    assert graph_of(bank) == (298, "built")


def test_a_column_that_was_forgotten_takes_its_graph_with_it(bank, texts, vectors):
    graph_of(bank)
    (old,) = kept(bank)
    bank.forget_column(COLUMN)
    assert kept(bank) == []
    bank.put(texts, -vectors, COLUMN)
    assert graph_of(bank) == (300, "built")
    assert [path.name for path in kept(bank)] != [old.name]
    assert bank.search(-vectors[:1], NEAR).to_pydict()["id"][0] == "id0"


def _cut(old):
    return old[:-50]


def _flipped(old):
    return old[: len(old) // 2] + bytes([old[len(old) // 2] ^ 1]) + old[len(old) // 2 + 1 :]


@pytest.mark.parametrize("damage", [_cut, _flipped, lambda _: b"", lambda _: b"else"])
def test_a_damaged_graph_is_built_again(bank, damage):
    graph_of(bank)
    (place,) = kept(bank)
    place.write_bytes(damage(place.read_bytes()))
    assert graph_of(bank) == (300, "built")
    assert graph_of(bank) == (300, "current")


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_kill_while_the_graph_is_written_leaves_the_old_one(bank, vectors, monkeypatch, call):
    graph_of(bank)
    before = kept(bank)[0].read_bytes()
    bank.put(["another"], vectors[:1], COLUMN)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(call, killed)
        with pytest.raises(KeyboardInterrupt):
            graph_of(bank)
    assert next(path for path in kept(bank) if path.suffix == ".safetensors").read_bytes() == before
    assert graph_of(bank) == (301, "extended")


def test_each_column_has_its_own_graph(bank):
    assert graph_of(bank, "given/0/own@int8") == (300, "built")
    assert graph_of(bank, "alone/0/own@binary") == (300, "built")
    assert len(kept(bank)) == 2
    assert bank.verify() == []


def test_an_approximate_search_is_not_narrowed(bank):
    with pytest.raises(UsageError, match="cannot be narrowed by a task"):
        SearchSettings(3, None, (("side", "up"),), "approximate")
    assert not (bank.path / "index").exists()


def test_an_empty_question_is_answered_with_nothing(bank):
    assert bank.search(np.empty((0, 24), np.float32), NEAR).num_rows == 0
    assert bank.search(np.empty((0, 24), np.float32)).num_rows == 0
