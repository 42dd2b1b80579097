"""Exact search equals brute force on the stored vectors, at every precision, whatever the blocks and the queries."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import embank
from embank.errors import DamageError, UsageError
from embank.linalg.cosine import cosines
from embank.search import SearchSettings
from embank.search.column import SearchedColumn, choose_column, finer_column
from embank.search.rescoring import search_vectors
from embank.store.folder import Store
from embank.store.ids import TextNames

COLUMNS = ["given/0/own@float32", "given/0/own@float16", "given/0/own@int8", "alone/0/own@binary"]


def by_hand(bank, column, query, k, allowed=None):
    """Numbers and scores of the closest texts, one after another, in double precision."""
    stored = bank.vectors(column)
    scores = cosines(stored, np.repeat(query[None], len(stored), axis=0)).astype(np.float32)
    order = np.lexsort((np.arange(len(stored)), -scores))
    order = order if allowed is None else order[np.isin(order, allowed)]
    return order[:k], scores[order[:k]]


@pytest.mark.parametrize("column", COLUMNS)
@settings(
    max_examples=settings.default.max_examples * 3 // 20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(k=st.integers(1, 320), block=st.integers(1, 400), seed=st.integers(0, 99), queries=st.integers(1, 5))
def test_exact_search_equals_brute_force_whatever_the_blocks(bank, column, k, block, seed, queries):
    asked = np.random.default_rng(seed).standard_normal((queries, 24)).astype(np.float32)
    with Store(bank.path) as store:
        found = search_vectors(store, column, asked, k, block=block)
        whole = search_vectors(store, column, asked, k)
    for name in ("queries", "ranks", "texts", "scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    for at in range(queries):
        mine = found.queries == at
        texts, scores = by_hand(bank, column, asked[at], k)
        np.testing.assert_allclose(found.scores[mine], scores, atol=1e-6)
        assert found.ranks[mine].tolist() == list(range(1, min(k, 300) + 1))
        assert found.texts[mine].tolist() == texts.tolist()


def test_a_query_alone_finds_what_it_finds_among_others(bank, vectors):
    together = bank.search(vectors[:40], SearchSettings(7, "given/0/own@int8")).to_pylist()
    for at in (0, 13, 39):
        alone = bank.search(vectors[at : at + 1], SearchSettings(7, "given/0/own@int8")).to_pylist()
        assert [row | {"query": at} for row in alone] == [row for row in together if row["query"] == at]


@pytest.mark.parametrize("column", COLUMNS)
def test_equal_texts_come_in_the_order_in_which_they_were_banked(bank, vectors, column):
    found = bank.search(vectors[20:21], SearchSettings(3, column)).to_pydict()
    assert found["id"] == ["id20", "id50", "id51"]
    assert len(set(found["score"])) == 1


def test_the_first_pass_over_binary_rows_is_ordered_by_the_finer_column(bank, vectors):
    with Store(bank.path) as store:
        assert finer_column(store, store.column("given/0/own@binary")) == "given/0/own@int8"
        assert finer_column(store, store.column("alone/0/own@binary")) is None
        rescored = search_vectors(store, "given/0/own@binary", vectors[:30], 10)
        exact = search_vectors(store, "given/0/own@int8", vectors[:30], 10)
    shared = [
        len(set(rescored.texts[rescored.queries == at]) & set(exact.texts[exact.queries == at])) for at in range(30)
    ]
    assert np.mean(shared) > 9
    both = dict(zip(zip(exact.queries, exact.texts, strict=True), exact.scores, strict=True))
    for query, text, score in zip(rescored.queries, rescored.texts, rescored.scores, strict=True):
        assert both.get((query, text), score) == score


def test_a_text_without_a_finer_row_keeps_its_binary_score(bank):
    more = np.full((1, 24), 2, np.float32)
    bank.put(["another"], more, "given/0/own@binary", ids=["new"])
    found = bank.search(more, SearchSettings(1, "given/0/own@binary")).to_pylist()
    assert found[0]["id"] == "new"
    assert found[0]["score"] > 0.5


def test_where_leaves_only_what_the_task_predicts(bank, texts, vectors):
    side = ["up" if row[0] > 0 else "down" for row in vectors]
    tags = [[name for name, value in zip("ab", row, strict=False) if value > 0] for row in vectors]
    bank.fit("side", side, texts=texts)
    bank.fit("tags", tags, texts=texts)
    said = bank.predict(tasks=["side", "tags"]).to_pydict()
    fits = [number for number in range(300) if said["side"][number] == "up" and "b" in said["tags"][number]]
    chosen = SearchSettings(300, "given/0/own@float32", (("side", "up"), ("tags", "b")))
    found = bank.search(vectors[5:6], chosen).to_pydict()
    assert sorted(found["id"]) == sorted(f"id{number}" for number in fits)
    expected, _ = by_hand(bank, "given/0/own@float32", vectors[5], 300, fits)
    assert found["id"] == [f"id{number}" for number in expected]


def test_a_text_of_the_bank_is_searched_with_its_own_row(bank, texts):
    found = bank.search([texts[7]], SearchSettings(1, "given/0/own@int8")).to_pylist()
    assert found == [{"query": 0, "rank": 1, "id": "id7", "score": 1.0}]


def test_kept_texts_come_with_the_results_and_names_of_queries_too(tmp_path):
    with embank.Bank.create(tmp_path / "kept") as bank:
        bank.encode(["a message", ("two", "halves")], columns=["minilm/1/mean@float32"], keep_text=True)
        found = bank.search(["a message"], ids=["first"]).to_pydict()
    assert found["query"] == ["first"] * 2
    assert found["text"] == [["a message"], ["two", "halves"]]
    assert found["id"][0] == embank.text_key("a message").hex()


def test_new_queries_are_encoded_and_not_banked(tmp_path):
    with embank.Bank.create(tmp_path / "kept") as bank:
        bank.encode(["the heating is cold", "where is my parcel"], columns=["minilm/6/mean@int8"], ids=[1, 2])
        found = bank.search(["my package has not come"], SearchSettings(1)).to_pylist()
        assert (found[0]["id"], len(bank)) == (2, 2)


def test_own_stands_for_the_encoders_pooling_wherever_a_column_is_named(tmp_path):
    texts, own = ["the heating is cold", "where is my parcel", "the heating is cold!"], "minilm/6/own@int8"
    with embank.Bank.create(tmp_path / "kept") as bank:
        bank.encode(texts, columns=[own])
        found = bank.search(texts[:1], SearchSettings(1, own)).to_pylist()
        assert found[0]["score"] == pytest.approx(1.0, abs=0.01)
        assert bank.export(tmp_path / "out.npy", "npy", own).texts == 3
        assert bank.dedup(embank.DedupSettings(0.9, own)).report.groups == 1
        assert bank.forget_column(own) == []
        with pytest.raises(UsageError, match="no column 'minilm/6/mean"):
            bank.search(texts[:1], SearchSettings(1, own))


def test_the_default_column_has_the_most_texts_then_the_highest_layer_then_the_finest_codec(tmp_path, vectors, texts):
    with embank.Bank.create(tmp_path / "other") as bank:
        bank.put(texts[:5], vectors[:5], "given/6/mean@float32")
        bank.put(texts, vectors, "given/3/mean@int8")
        bank.put(texts, vectors, "given/5/max@float16")
        bank.put(texts, vectors, "given/5/mean@binary")
        bank.put(texts, vectors, "given/5/mean@int8")
        with Store(bank.path) as store:
            assert choose_column(store) == "given/5/mean@int8"
        bank.put(texts, vectors, "given/5/mean+dims8@float32")
        with Store(bank.path) as store:
            assert choose_column(store) == "given/5/mean@int8"


def test_an_encoders_column_is_chosen_before_one_of_vectors_that_were_made_elsewhere(tmp_path, vectors):
    texts = ["the heating is cold", "where is my parcel"]
    with embank.Bank.create(tmp_path / "both") as bank:
        bank.encode(texts, columns=["minilm/6/mean@int8"])
        bank.put(texts, vectors[:2], "given/6/own@float32")
        assert bank.search(["no heat"], SearchSettings(1)).num_rows == 1
        bank.put(["a third"], vectors[2:3], "given/6/own@float32")
        with Store(bank.path) as store:
            assert choose_column(store) == "given/6/own@float32", "it has more texts"


def test_forgotten_texts_are_not_found(bank, vectors):
    bank.forget_ids(["id20"])
    found = bank.search(vectors[20:21], SearchSettings(2, "given/0/own@int8")).to_pydict()
    assert found["id"] == ["id50", "id51"]


def test_what_does_not_fit_is_refused_in_words(bank, vectors, texts):
    with pytest.raises(UsageError, match="vectors \\[queries, 24\\], found \\(2, 3\\)"):
        bank.search(np.ones((2, 3), np.float32))
    with pytest.raises(UsageError, match="query 1 holds NaN"):
        bank.search(np.array([[1] * 24, [np.nan] * 24], np.float32))
    with pytest.raises(UsageError, match="k = 0"):
        SearchSettings(0)
    with pytest.raises(UsageError, match="no column 'given/9/own@int8'; it has: "):
        bank.search(vectors, SearchSettings(3, "given/9/own@int8"))
    with pytest.raises(UsageError, match="one string; give a list"):
        bank.search("words")
    with pytest.raises(UsageError, match="found 1 ids for 300 queries"):
        bank.search(vectors, ids=["one"])
    with pytest.raises(UsageError, match="made elsewhere, and query 1 has none"):
        bank.search([texts[0], "never seen"])
    with pytest.raises(UsageError, match="1 of 2 queries cannot be encoded, the first is 1: empty"):
        bank.search([texts[0], " "])
    bank.fit("side", ["up" if row[0] > 0 else "down" for row in vectors], texts=texts)
    with pytest.raises(UsageError, match="no label 'left'; it has: down, up"):
        bank.search(vectors, SearchSettings(3, None, (("side", "left"),)))
    bank.fit("size", vectors[:, 0].tolist(), texts=texts)
    with pytest.raises(UsageError, match="gives no label to single texts"):
        bank.search(vectors, SearchSettings(3, None, (("size", "1"),)))


def test_vectors_of_double_precision_are_searched_too(bank, vectors):
    found = bank.search(vectors[9:10].astype(np.float64), SearchSettings(1)).to_pydict()
    assert found["id"] == ["id9"]


def test_texts_are_named_by_ids_or_hash_whether_they_lie_close_or_far(bank, texts):
    bank.put(["another"], np.ones((1, 24), np.float32), "given/0/own@int8")
    with Store(bank.path) as store:
        assert TextNames(store).all_of(np.array([299, 0, 300, 0])) == [
            ["id299"],
            ["id0"],
            [embank.text_key("another").hex()],
            ["id0"],
        ]
        assert TextNames(store).all_of(np.array([5, 12345])) == [["id5"], ["forgotten-12345"]]


def test_a_damaged_file_is_an_error_and_no_answer(bank, vectors):
    with Store(bank.path) as store:
        part = store.catalogue.segments(store.column("given/0/own@int8").number)[0].part("rows")
    (bank.path / part.file).write_bytes((bank.path / part.file).read_bytes()[:-40])
    with pytest.raises(DamageError, match="embank verify"):
        bank.search(vectors[:1], SearchSettings(1, "given/0/own@int8"))


def test_an_empty_bank_says_what_to_do(tmp_path):
    with embank.Bank.create(tmp_path / "empty") as bank, pytest.raises(UsageError, match="no vectors yet: encode"):
        bank.search(["anything"])


def test_states_are_not_searched(tmp_path):
    with embank.Bank.create(tmp_path / "states") as bank:
        bank.encode(["a", "b"], columns=["minilm/1/states"])
        with Store(bank.path) as store, pytest.raises(UsageError, match="holds states"):
            SearchedColumn(store, "minilm/1/states")


def test_searching_with_given_vectors_imports_no_torch(bank):
    bank.close()
    program = f"""
import sys, numpy as np, embank
with embank.Bank.open({str(bank.path)!r}) as bank:
    found = bank.search(np.ones((1, 24), np.float32), embank.SearchSettings(3))
    found = bank.search(["message number 3"], embank.SearchSettings(3))
assert found.num_rows == 3
assert not any(name.split(".")[0] in ("torch", "transformers", "usearch", "faiss") for name in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
