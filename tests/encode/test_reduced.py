"""Columns of fewer dimensions: in the same pass, learned once, shared by precisions, found damaged where they are."""

import numpy as np
import pytest
from safetensors.numpy import load, save

import embank
from embank.encode.columns import readout_of
from embank.encoders import Readout
from embank.errors import DamageError, UsageError
from embank.recipe import ColumnName
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.vectors import codec_of, decoded, reduction_of
from embank.store.verify import verify
from embank.testing import FakeEncoder
from embank.texts import text_key
from encode.test_run import run
from material.tails import options, save_tiny, texts_of

WHOLE, REDUCED = "fake/2/mean@float32", "fake/2/mean+pca4@float32"
TEXTS = [f"message {number} says that the pump is {'cold ' * (number % 7)}broken" for number in range(60)]


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "bank") as opened:
        yield opened


def vectors(store, name, texts=TEXTS):
    numbers = store.catalogue.lookup([text_key(text) for text in texts])
    assert (numbers != UNKNOWN).all()
    return decoded(store.reader(name), codec_of(store, store.column(name)), numbers)


def test_one_pass_fills_whole_and_reduced_columns(store):
    encoder = FakeEncoder()
    names = [WHOLE, REDUCED, "fake/2/mean+dims3@int8", "fake/2/mean+centred+pca2@binary"]
    run(store, encoder, names, TEXTS)
    assert len({readout_of(ColumnName.parse(name)) for name in names}) == 1
    assert {encoder.encoded[text] for text in TEXTS} == {2}  # once for the calibration, once for the rows
    assert verify(store) == []
    widths = [(column.width, column.cells) for column in store.catalogue.columns().values()]
    assert widths[1:] == [(4, 4), (3, 3), (2, 1)]


@pytest.mark.parametrize(
    "name", ["fake/2/mean+pca4@float32", "fake/2/max+unit+centred+pca3+unit@float32", "fake/2/mean+dims5@float32"]
)
def test_a_row_is_what_the_steps_make_of_the_encoders_vector(store, name):
    encoder = FakeEncoder()
    run(store, encoder, [name], TEXTS)
    column = store.column(name)
    readout = readout_of(ColumnName.parse(name))
    whole = np.stack([encoder.vector_of(text, readout) for text in TEXTS])
    np.testing.assert_array_equal(vectors(store, name), reduction_of(store, column)(whole))


def test_later_texts_are_reduced_as_the_first_ones_were(store):
    encoder = FakeEncoder()
    run(store, encoder, [REDUCED], TEXTS[:20])
    learned = reduction_of(store, store.column(REDUCED)).digest
    run(store, encoder, [REDUCED], ["something else entirely", *TEXTS[20:]])
    assert reduction_of(store, store.column(REDUCED)).digest == learned
    whole = np.stack([encoder.vector_of(text, Readout(2, "mean")) for text in TEXTS])
    np.testing.assert_array_equal(vectors(store, REDUCED), reduction_of(store, store.column(REDUCED))(whole))


def test_columns_that_differ_in_precision_alone_hold_the_same_vectors_whenever_they_were_added(store):
    encoder = FakeEncoder()
    run(store, encoder, [REDUCED], TEXTS[:20])
    run(store, encoder, ["fake/2/mean+pca4@int8", "fake/2/mean+pca3@int8"], TEXTS[20:])
    one, other, third = (
        store.column(f"fake/2/mean+{name}").recipe for name in ("pca4@float32", "pca4@int8", "pca3@int8")
    )
    assert one.source == other.source
    assert len({one.fingerprint, other.fingerprint, third.fingerprint}) == 3
    assert third.reduction != one.reduction != ""
    assert one.calibration == "" != other.calibration


def test_another_sample_is_another_recipe(tmp_path):
    found = []
    for texts in (TEXTS[:30], TEXTS[30:]):
        with Store.create(tmp_path / texts[0].split()[1]) as store:
            run(store, FakeEncoder(), [REDUCED], texts)
            found.append(store.column(REDUCED).recipe.fingerprint)
    assert len(set(found)) == 2


def test_more_dimensions_than_the_encoder_has_are_refused_before_anything_is_encoded(store):
    encoder = FakeEncoder(width=8)
    for name in ("fake/2/mean+pca9@int8", "fake/2/mean+dims9", "fake/2/mean+pca4+dims5"):
        with pytest.raises(UsageError, match="keeps . dimensions of .: name fewer"):
            run(store, encoder, [name], TEXTS)
    assert encoder.calls == 0
    assert store.catalogue.columns() == {}


@pytest.mark.parametrize("harm", ["gone", "flipped", "other", "emptied"])
def test_steps_that_lost_what_they_learned_are_found(store, harm):
    run(store, FakeEncoder(), ["fake/2/mean+pca4@int8"], TEXTS)
    column = store.column("fake/2/mean+pca4@int8")
    file = store.root / column.calibration.file
    kept = load(file.read_bytes())
    assert {"scale", "offset", "reduction_axes"} == set(kept)
    if harm == "gone":
        file.unlink()
    elif harm == "flipped":
        kept["reduction_axes"] = kept["reduction_axes"] + np.int32(1)
        file.write_bytes(save(kept))
    elif harm == "other":
        kept["reduction_axes"] = kept["reduction_axes"][:, :3].copy()
        file.write_bytes(save(kept))
    else:
        del kept["reduction_axes"]
        file.write_bytes(save(kept))
    with pytest.raises(DamageError, match="calibration of column fake/2/mean\\+pca4@int8 (cannot be read|has changed)"):
        reduction_of(store, column)
    assert verify(store)


def test_queries_are_reduced_as_the_column_is(tmp_path):
    save_tiny(tmp_path / "tiny")
    name = "tiny/4/mean+unit+pca6@float32"
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(texts_of(40), encoder=str(tmp_path / "tiny"), columns=[name, "tiny/4/mean+unit@float32"])
        asked = texts_of(3, 400)
        queries = bank.queries(asked, name)
        assert queries.shape == (3, 6)
        bank.encode(asked)
        np.testing.assert_allclose(bank.vectors(name, asked), queries, atol=1e-5)
        found = bank.search(asked, embank.SearchSettings(k=1, column=name)).to_pylist()
        assert [round(row["score"], 4) for row in found] == [1, 1, 1]
        report = bank.fit("x", ["a", "b"] * 20, texts=texts_of(40), settings=embank.FitSettings(columns=(name,)))
        assert list(report.columns) == [name]
        assert bank.predict(texts_of(2, 900)).num_rows == 2


def test_own_pooling_with_steps_is_written_out(tmp_path):
    save_tiny(tmp_path / "tiny")
    (tmp_path / "tiny" / "modules.json").write_text(
        '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},'
        ' {"idx": 1, "name": "1", "path": "p", "type": "sentence_transformers.models.Pooling"},'
        ' {"idx": 2, "name": "2", "path": "n", "type": "sentence_transformers.models.Normalize"}]'
    )
    (tmp_path / "tiny" / "p").mkdir()
    (tmp_path / "tiny" / "p" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(texts_of(20), encoder=str(tmp_path / "tiny"), columns=["tiny/4/own+pca4+unit@int8"])
        assert [column.name for column in bank.summary().columns] == ["tiny/4/mean+unit+pca4+unit@int8"]


def test_vectors_made_elsewhere_are_reduced_as_they_are_put(tmp_path):
    made = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    texts = texts_of(50)
    with embank.Bank.create(tmp_path / "bank") as bank:
        bank.put(texts, made, "mine/0/own@float32")
        bank.put(texts[:30], made[:30], "mine/0/own+pca12@float32")
        bank.put(texts[30:], made[30:], "mine/0/own+pca12@float32")
        turned = bank.vectors("mine/0/own+pca12@float32")
        np.testing.assert_allclose(turned @ turned.T, made @ made.T, atol=1e-4)
        with pytest.raises(UsageError, match="keeps 13 dimensions of 12"):
            bank.put(texts, made, "mine/0/own+pca13@int8")
