"""A pooling is learned on a bank's states, frozen into a column, and heads read the column like any other."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import embank
from embank.errors import HeadError, UsageError
from embank.models.pooling_design import MIXES, PoolingDesign, PoolingSettings
from embank.models.pooling_file import keep, read
from embank.store.folder import Store
from material.tails import moods, options, save_tiny, sizes, texts_of, topics

TEXTS = texts_of(120)
STATES = ("tiny/1/states@float16", "tiny/2/states@float16", "tiny/4/states@float16")
LOOP = embank.TrainingSettings(epochs=12, batch=16, rate=2e-2, patience=12)
ONE = PoolingDesign((2,))


def asked(design=ONE, **settings):
    return PoolingSettings(design=design, training=settings.pop("training", LOOP), **settings)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture
def bank(tmp_path, folder):
    with embank.Bank.create(tmp_path / "bank", options()) as opened:
        opened.encode(TEXTS, columns=STATES, encoder=str(folder), ids=list(range(120)))
        yield opened


@pytest.fixture
def learned(bank):
    return bank.learn_pooling("mood", moods(TEXTS), TEXTS, asked())


@pytest.mark.parametrize(("labels", "kind"), [(moods, "single"), (topics, "multi"), (sizes, "regression")])
def test_every_kind_that_has_one_vector_is_learned(bank, labels, kind):
    found = bank.learn_pooling("task", labels(TEXTS), TEXTS, asked(kind=kind))
    report = found.report
    assert report.validation[report.measure] > report.baseline[report.measure] + 0.2
    assert (report.kind, report.examples, report.held_back) == (kind, 120, 24)
    assert report.columns == STATES[1:2]


@pytest.mark.parametrize("mix", MIXES)
def test_every_mix_of_layers_is_learned_and_frozen(bank, mix):
    design = PoolingDesign((2,) if mix == "one" else (1, 2, 4), queries=2, mix=mix)
    found = bank.learn_pooling("mood", moods(TEXTS), TEXTS, asked(design))
    assert found.report.validation["macro_f1"] > 0.6
    assert bank.fill_pooling(found.column).completed == 120
    assert bank.vectors(found.column, TEXTS).shape == (120, design.width(32))
    assert found.column.split("/")[1] == str(design.layers[-1])


def test_a_column_of_learned_vectors_is_fitted_and_predicted_like_any_other(bank, learned):
    report = bank.fill_pooling(learned.column)
    assert (report.rows, report.completed, report.known) == (120, 120, 0)
    settings = embank.FitSettings(columns=(learned.column,))
    fitted = bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings)
    assert fitted.columns == (learned.column,)
    assert fitted.validation["macro_f1"] > 0.9
    predicted = bank.predict(TEXTS, tasks=["mood"]).to_pydict()["mood"]
    assert np.mean([one == other for one, other in zip(predicted, moods(TEXTS), strict=True)]) > 0.9
    assert bank.verify() == []


def test_frozen_vectors_are_those_of_the_learned_pooling(bank, learned):
    stored = read(bank.path, learned.column.split("/")[0])
    bank.fill_pooling(learned.column)
    exact = learned.column.replace("@float16", "@float32")
    bank.fill_pooling(exact)
    rounded, vectors = bank.vectors(learned.column, TEXTS), bank.vectors(exact, TEXTS)
    np.testing.assert_allclose(rounded, vectors, rtol=1e-3, atol=1e-3)
    assert stored.weights["queries"].shape == (1, 1, 32)
    mean = bank.vectors("tiny/2/mean@float32", TEXTS)
    assert not np.allclose(vectors, mean, atol=1e-2)


def test_filling_again_computes_only_what_is_missing(bank, learned):
    some = bank.fill_pooling(learned.column, TEXTS[:40])
    assert (some.rows, some.completed, some.known) == (40, 40, 0)
    before = bank.vectors(learned.column, TEXTS[:40])
    rest = bank.fill_pooling(learned.column)
    assert (rest.rows, rest.completed, rest.known) == (120, 80, 40)
    assert np.array_equal(bank.vectors(learned.column, TEXTS[:40]), before)
    again = bank.fill_pooling(learned.column)
    assert (again.completed, again.known) == (0, 120)


def test_new_texts_are_encoded_and_pooled_as_others_were(bank, learned):
    bank.fill_pooling(learned.column)
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=embank.FitSettings(columns=(learned.column,)))
    new = texts_of(12, 500)
    assert bank.predict(new, tasks=["mood"]).to_pydict()["mood"] == [None] * 12
    report = bank.fill_pooling(learned.column, [*new, TEXTS[0], None])
    assert (report.completed, report.known) == (12, 1)
    assert bank.predict(new, tasks=["mood"]).to_pydict()["mood"] == moods(new)


def test_a_text_has_the_same_vector_alone_and_among_others(bank, learned):
    exact = learned.column.replace("@float16", "@float32")
    bank.fill_pooling(exact, TEXTS[:1])
    alone = bank.vectors(exact, TEXTS[:1])
    bank.forget_column(exact)
    bank.fill_pooling(exact)
    np.testing.assert_allclose(bank.vectors(exact, TEXTS[:1]), alone, rtol=1e-5, atol=1e-5)


def test_learning_again_gives_the_same_column_and_other_weights_another(bank, learned):
    assert bank.learn_pooling("mood", moods(TEXTS), TEXTS, asked()).column == learned.column
    others = {learned.column}
    for changed in (
        asked(training=embank.TrainingSettings(epochs=2, batch=16, rate=2e-2)),
        asked(training=embank.TrainingSettings(epochs=12, batch=16, rate=2e-2, patience=12, seed=1)),
        asked(PoolingDesign((4,))),
        asked(PoolingDesign((2,), queries=2)),
    ):
        others.add(bank.learn_pooling("mood", moods(TEXTS), TEXTS, changed).column)
    assert len(others) == 5
    assert all(column.startswith("mood-") for column in others)


def test_two_columns_of_two_poolings_have_recipes_of_their_own(bank, learned):
    other = bank.learn_pooling("mood", moods(TEXTS), TEXTS, asked(PoolingDesign((2,), queries=2)))
    for column in (learned.column, other.column):
        bank.fill_pooling(column)
    assert bank.vectors([learned.column, other.column], TEXTS).shape == (120, 96)
    with Store(bank.path) as store:
        recipes = [store.column(column).recipe for column in (learned.column, other.column)]
    assert len({recipe.fingerprint for recipe in recipes}) == 2
    for recipe, column in zip(recipes, (learned.column, other.column), strict=True):
        assert read(bank.path, column.split("/")[0]).digest in recipe.reading.weights


@pytest.mark.parametrize("codec", ["float32", "float16", "int8", "int4", "binary"])
def test_every_codec_holds_learned_vectors(bank, codec):
    found = bank.learn_pooling("mood", moods(TEXTS), TEXTS, asked(codec=codec))
    assert found.column.endswith(f"@{codec}")
    bank.fill_pooling(found.column)
    settings = embank.FitSettings(columns=(found.column,))
    assert bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings).validation["macro_f1"] > 0.6
    assert bank.verify() == []


def test_limited_states_and_named_columns_are_read(bank):
    columns = ("tiny/2/states+first4@int8", "tiny/4/states+first4@int8")
    design = PoolingDesign((2, 4), mix="scalar")
    found = bank.learn_pooling("mood", moods(TEXTS), TEXTS, asked(design, columns=columns))
    assert found.report.columns == columns
    assert bank.fill_pooling(found.column).completed == 120


def test_layers_that_the_bank_lacks_are_encoded_first(bank):
    found = bank.learn_pooling("mood", moods(TEXTS), TEXTS, asked(PoolingDesign((2, 3), mix="scalar")))
    assert found.report.columns == ("tiny/2/states@float16", "tiny/3/states@float16")


def test_states_that_found_no_room_are_computed(tmp_path, folder):
    run = embank.EncodeSettings(states_budget=20_000)
    with embank.Bank.create(tmp_path / "small", options(run=run)) as small:
        columns = ["tiny/2/mean@float16", "tiny/2/states@float16"]
        for texts in (TEXTS[:30], TEXTS):
            small.encode(texts, columns=columns, encoder=str(folder))
        states = next(column for column in small.summary().columns if column.name == columns[1])
        assert states.rows == 30
        found = small.learn_pooling("mood", moods(TEXTS), TEXTS, asked())
        assert small.fill_pooling(found.column, TEXTS).completed == 120


def test_a_forgotten_column_is_filled_again(bank, learned):
    bank.fill_pooling(learned.column)
    before = bank.vectors(learned.column, TEXTS)
    bank.forget_column(learned.column)
    assert bank.fill_pooling(learned.column).completed == 120
    np.testing.assert_array_equal(bank.vectors(learned.column, TEXTS), before)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            asked(columns=("tiny/3/states",)),
            "found columns tiny/3/states for layers 2, expected states of these layers",
        ),
        (asked(columns=("tiny/2/mean",)), "expected states of these layers in order"),
        (asked(PoolingDesign((1, 2), mix="scalar"), columns=("tiny/2/states", "tiny/1/states")), "for layers 1, 2"),
        (asked(PoolingDesign((9,))), "tiny has layers 0 to 4"),
    ],
)
def test_columns_that_do_not_fit_the_design_are_refused(bank, settings, said):
    with pytest.raises(UsageError, match=said):
        bank.learn_pooling("mood", moods(TEXTS), TEXTS, settings)


def test_limits_that_differ_between_layers_are_refused(bank):
    columns = ("tiny/2/states+first4@float16", "tiny/4/states@float16")
    design = PoolingDesign((2, 4), mix="scalar")
    with pytest.raises(HeadError, match="texts have other numbers of states in one layer than in another"):
        bank.learn_pooling("mood", moods(TEXTS), TEXTS, asked(design, columns=columns))


def test_mistakes_in_labels_and_names_are_told(bank):
    with pytest.raises(UsageError, match="found 3 labels for 120 texts"):
        bank.learn_pooling("mood", ["a", "b", "c"], TEXTS, asked())
    with pytest.raises(UsageError, match="'a/b' is no name for a pooling"):
        bank.learn_pooling("a/b", moods(TEXTS), TEXTS, asked())
    with pytest.raises(HeadError, match="same label"):
        bank.learn_pooling("mood", ["alike"] * 120, TEXTS, asked())


def test_a_pooling_that_is_not_there_is_named_beside_those_that_are(bank, learned):
    with pytest.raises(HeadError, match=f"keeps no learned pooling 'other-1'; it has: {learned.column.split('/')[0]}"):
        bank.fill_pooling("other-1/2/own")
    with pytest.raises(UsageError, match="is no column of this pooling; it fills mood-"):
        bank.fill_pooling(learned.column.replace("/2/own", "/3/mean"))


def test_states_of_another_recipe_are_refused(bank, learned):
    path = bank.path / "poolings" / f"{learned.column.split('/')[0]}.safetensors"
    stored = read(bank.path, path.stem)
    strange = dataclasses.replace(stored, sources={STATES[1]: "0" * 32})
    keep(bank.path, strange)
    with pytest.raises(HeadError, match="holds other states than .* was learned on; learn it again"):
        bank.fill_pooling(f"{strange.encoder}/2/own@float16")


def test_a_damaged_pooling_is_refused(bank, learned):
    path = bank.path / "poolings" / f"{learned.column.split('/')[0]}.safetensors"
    with safe_open(path, framework="pt") as file:
        notes = file.metadata()
    weights = load_file(path)
    weights["queries"][0, 0, 0] += 1
    save_file(weights, path, notes)
    with pytest.raises(HeadError, match="found other weights in .* than were written there"):
        bank.fill_pooling(learned.column)
    newer = json.loads(notes["pooling"]) | {"format_version": 9}
    save_file(weights, path, {"pooling": json.dumps(newer)})
    with pytest.raises(HeadError, match="format version 9 .* expected at most 1; install a newer embank"):
        bank.fill_pooling(learned.column)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(HeadError, match="found a damaged pooling"):
        bank.fill_pooling(learned.column)


def test_reading_a_column_of_learned_vectors_imports_no_torch(bank, learned):
    bank.fill_pooling(learned.column)
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=embank.FitSettings(columns=(learned.column,)))
    program = (
        "import sys, embank, embank.models.pooling_design\n"
        f"with embank.Bank.open({str(bank.path)!r}) as bank:\n"
        "    assert len(bank.predict(tasks=['mood'])) == 120\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
