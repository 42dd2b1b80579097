"""The main job on given vectors: fit, predict in one pass, refit, forget, at every precision."""

import numpy as np
import pytest

import embank
from embank.errors import BankLockedError, HeadError, UsageError
from embank.predict.fused import FusedHeads
from embank.predict.load import load_tasks
from embank.store.folder import Store
from embank.store.vectors import vectors as stored_vectors


def test_every_task_beats_its_baseline_and_says_so(fitted, codec):
    for task in fitted.tasks():
        assert task.score > task.baseline + (0.15 if codec == "binary" else 0.3), task


def test_one_pass_over_folded_rows_equals_each_head_on_decoded_vectors(fitted):
    store = Store(fitted.path)
    tasks = load_tasks(store)
    numbers = np.array([5, 3, 399, 0, 17], np.int64)
    found = FusedHeads(store, tasks).predict(numbers)
    for task, outputs in zip(tasks, found, strict=True):
        alone = task.head.outputs(stored_vectors(store, list(task.columns), numbers))
        np.testing.assert_allclose(outputs.outputs, alone, rtol=1e-3, atol=2e-3)
        assert outputs.rows.tolist() == [0, 1, 2, 3, 4]


def test_predictions_of_the_whole_bank_equal_those_of_its_texts(fitted, texts):
    everything = fitted.predict().to_pydict()
    some = fitted.predict(texts[40:60]).to_pydict()
    assert everything["id"][40:60] == [f"id{number}" for number in range(40, 60)]
    for name, values in some.items():
        if name.endswith("_score"):
            flat = [np.ravel(value) if value is not None else [] for value in values]
            expected = [np.ravel(value) if value is not None else [] for value in everything[name][40:60]]
            np.testing.assert_allclose(np.concatenate(flat), np.concatenate(expected), rtol=1e-4, atol=1e-5)
        elif name == "size":
            np.testing.assert_allclose(values, everything[name][40:60], rtol=1e-3, atol=1e-3)
        elif name != "id":
            assert values == everything[name][40:60]


def test_a_row_is_written_for_every_row_given_in_its_order(fitted, texts):
    table = fitted.predict([texts[7], None, texts[7], 3, texts[0], ""], tasks=["colour"]).to_pydict()
    assert table["id"] == [0, 1, 2, 3, 4, 5]
    assert [value is None for value in table["colour"]] == [False, True, False, True, False, True]
    assert table["colour"][0] == table["colour"][2]


def test_probabilities_of_all_classes_sum_to_one_and_agree_with_the_score(fitted, texts):
    table = fitted.predict(texts[:50], tasks=["colour"], proba=True).to_pydict()
    names = [name for name in table if name.startswith("colour_proba_")]
    assert names == ["colour_proba_blue", "colour_proba_green", "colour_proba_red"]
    for row in range(50):
        total = [table[name][row] for name in names]
        assert sum(total) == pytest.approx(1, abs=1e-5)
        assert table["colour_score"][row] == pytest.approx(table[f"colour_proba_{table['colour'][row]}"][row], abs=1e-5)


def test_several_labels_come_as_lists_with_a_probability_each(fitted):
    table = fitted.predict(tasks=["tags"]).to_pydict()
    assert all(len(names) == len(scores) for names, scores in zip(table["tags"], table["tags_score"], strict=True))
    assert {name for names in table["tags"] for name in names} == {"a", "b", "c"}
    assert [] in table["tags"]


def test_adding_and_forgetting_a_task_changes_no_other_prediction(fitted, texts, labels):
    before = fitted.predict(tasks=["colour", "size"])
    fitted.fit("another", labels["sign"], texts=texts)
    fitted.forget_task("sign")
    after = fitted.predict(tasks=["colour", "size"])
    assert after.column("colour").equals(before.column("colour"))
    np.testing.assert_allclose(after["size"].to_numpy(), before["size"].to_numpy(), rtol=1e-4, atol=1e-5)
    assert [task.name for task in fitted.tasks()] == ["another", "colour", "size", "tags"]
    assert not [path for path in (fitted.path / "tasks").iterdir() if path.name.startswith("sign")]


def test_a_refit_gives_the_same_head_on_the_same_rows(fitted):
    before = fitted.predict(tasks=["colour"])
    report = fitted.refit("colour")
    assert report.kind == "single"
    assert fitted.predict(tasks=["colour"]).column("colour").equals(before.column("colour"))


def test_a_task_whose_column_was_forgotten_says_how_to_mend_it(fitted, column):
    orphaned = fitted.forget_column(column)
    assert sorted(orphaned) == ["colour", "sign", "size", "tags"]
    with pytest.raises(HeadError, match="no longer has; fit it again: embank fit .* --refit --task colour"):
        fitted.predict(tasks=["colour"])
    assert all(task.stale == f"{column} is gone" for task in fitted.tasks())


def test_texts_are_forgotten_everywhere_by_id(fitted, texts):
    gone, unknown = fitted.forget_ids(["id0", "id7", "nobody"])
    assert (gone, unknown) == (2, ["nobody"])
    assert len(fitted) == len(texts) - 2
    table = fitted.predict(tasks=["colour"]).to_pydict()
    assert "id7" not in table["id"]
    assert len(table["id"]) == len(texts) - 2
    assert fitted.verify() == []
    assert fitted.refit("colour").skipped == {"no row in these columns": 2}


def test_vectors_come_back_in_the_order_asked_for(bank, texts, vectors, column, codec):
    tolerance = {"float32": 0, "float16": 2e-3, "int8": 3e-2, "int4": 0.6, "binary": 4}[codec]
    found = bank.vectors(column, ids=["id5", "id2", "id5"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, vectors[[5, 2, 5]], atol=tolerance)
    np.testing.assert_array_equal(bank.vectors([column, column]), np.hstack([bank.vectors(column)] * 2))


def test_putting_vectors_again_keeps_the_rows_that_are_there(bank, texts, vectors, column):
    before = bank.vectors(column)
    report = bank.put(texts, -vectors, column)
    assert (report.new, report.known) == (0, len(texts))
    np.testing.assert_array_equal(bank.vectors(column), before)


def test_ids_of_whole_numbers_stay_whole_numbers(tmp_path, texts, vectors):
    with embank.Bank.create(tmp_path / "other") as bank:
        bank.put(texts, vectors, "given/0/own", ids=list(range(len(texts))))
        bank.fit("sign", ["up" if row[0] > 0 else "down" for row in vectors], ids=[str(n) for n in range(len(texts))])
        assert bank.predict().to_pydict()["id"] == list(range(len(texts)))


def test_texts_without_ids_are_called_by_their_hash(tmp_path, texts, vectors):
    with embank.Bank.create(tmp_path / "other") as bank:
        bank.put(texts, vectors, "given/0/own")
        bank.fit("sign", ["up" if row[0] > 0 else "down" for row in vectors], texts=texts)
        assert bank.predict().to_pydict()["id"] == [embank.text_key(text).hex() for text in texts]


def test_a_text_with_two_ids_has_two_rows(tmp_path, vectors):
    texts = [f"text {number // 2}" for number in range(400)]
    with embank.Bank.create(tmp_path / "other") as bank:
        bank.put(texts, vectors, "given/0/own", ids=[f"i{number}" for number in range(400)])
        bank.fit("sign", ["up" if number // 2 % 2 else "down" for number in range(400)], texts=texts)
        table = bank.predict().to_pydict()
    assert sorted(table["id"]) == sorted(f"i{number}" for number in range(400))
    by_id = dict(zip(table["id"], table["sign_score"], strict=True))
    assert by_id["i10"] == by_id["i11"]


def test_pairs_that_are_read_apart_need_no_new_encoding(bank, texts, vectors):
    random = np.random.default_rng(1)
    left, right = random.integers(0, 400, 600), random.integers(0, 400, 600)
    alike = ["yes" if a @ b > 0 else "no" for a, b in zip(vectors[left], vectors[right], strict=True)]
    first, second = [texts[at] for at in left], [texts[at] for at in right]
    settings = embank.FitSettings(reads="apart")
    report = bank.fit("alike", alike, texts=first, seconds=second, settings=settings)
    assert report.validation["accuracy"] > report.baseline["accuracy"] + 0.1
    table = bank.predict(first[:30], seconds=second[:30]).to_pydict()
    assert list(table) == ["id", "alike", "alike_score"]
    assert sum(a == b for a, b in zip(table["alike"], alike[:30], strict=True)) > 20
    with pytest.raises(UsageError, match="read two texts apart"):
        bank.predict()
    with pytest.raises(UsageError, match="second texts"):
        bank.predict(first[:3], tasks=["alike"])


def test_labels_of_unknown_ids_are_counted_and_left_out(bank, labels):
    ids = [f"id{number}" if number % 4 else f"nobody{number}" for number in range(400)]
    report = bank.fit("colour", labels["colour"], ids=ids)
    assert report.skipped == {"text not in the bank": 100}
    assert report.examples == 300


def test_repeated_and_contradicting_rows_are_counted(bank, texts, labels):
    report = bank.fit(
        "colour", [*labels["colour"], labels["colour"][0], "red", "green"], texts=[*texts, texts[0], texts[1], texts[1]]
    )
    assert sum(report.skipped.values()) == 3
    assert report.examples == 400


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["same"] * 400, "same label, 'same'"),
        ([None] * 400, "none of the 400 rows has a label"),
        ([float("nan")] * 400, "none of the 400 rows has a label"),
        (["a", "b"] + [None] * 398, "2 labelled texts are too few"),
    ],
)
def test_labels_that_teach_nothing_are_refused_in_words(bank, texts, values, said):
    with pytest.raises(HeadError, match=said):
        bank.fit("task", values, texts=texts)


def test_arguments_that_do_not_fit_are_refused_in_words(bank, texts, column):
    with pytest.raises(UsageError, match="one of texts"):
        bank.fit("task", ["a", "b"])
    with pytest.raises(UsageError, match="one label per text"):
        bank.fit("task", ["a", "b"], texts=texts)
    with pytest.raises(UsageError, match="no column 'given/1/own@float16'; it has: given/0/own"):
        bank.fit("task", ["a", "b"] * 200, texts=texts, settings=embank.FitSettings(columns=("given/1/own",)))
    with pytest.raises(UsageError, match="has no tasks yet"):
        bank.predict()
    with pytest.raises(UsageError, match="has no task 'x'; it has: none"):
        bank.forget_task("x")
    with pytest.raises(UsageError, match="no name for a task"):
        bank.fit("../escape", ["a", "b"] * 200, texts=texts)
    with pytest.raises(UsageError, match="1 ids are not in"):
        bank.vectors(column, ids=["id1", "who"])


def test_a_second_writer_is_refused_and_readers_go_on(fitted, texts, vectors, column):
    with Store(fitted.path).writer(), embank.Bank.open(fitted.path) as other:
        with pytest.raises(BankLockedError, match="is being written by process"):
            other.put(["one more"], vectors[:1], column)
        assert other.predict(texts[:3], tasks=["sign"]).num_rows == 3


def test_a_column_that_is_half_filled_takes_no_examples_away(bank, texts, vectors, labels):
    bank.put(texts[:10], vectors[:10] * 2, "more/0/own@float32")
    report = bank.fit("colour", labels["colour"], texts=None, ids=[f"id{number}" for number in range(400)])
    assert report.examples == 400
    assert all(name.startswith("given/") for name in report.columns)


def test_given_vectors_can_be_looked_up_but_not_encoded(bank, texts, column):
    assert bank.encode(texts, columns=[column]).known == len(texts)
    with pytest.raises(UsageError, match=r"made elsewhere: put those of new texts with Bank\.put"):
        bank.encode(["a text that has none"], columns=[column])
    with pytest.raises(UsageError, match="only vectors made elsewhere"):
        bank.encode(["a text that has none"])
