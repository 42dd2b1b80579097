"""Columns of a prefix folder: one set for all prefixes, or one for each, of which an update moves no other's bytes."""

import dataclasses

import numpy as np
import pytest

import embank
from embank.encode.batch_encode import encode_texts
from embank.encoders import Readout
from embank.encoders.available import available_encoders
from embank.encoders.load import locate, locate_all
from embank.encoders.prefix.folder import drop_prefix, put_prefix, read_prefix_folder
from embank.encoders.torch import TransformerEncoder
from embank.errors import EncoderChangedError, EncoderError, HeadError, UsageError
from embank.testing import FakeEncoder
from material.prefix import arrays, make_trunk
from material.tails import moods, options, save_tiny, settings, texts_of

TEXTS = texts_of(40)


@pytest.fixture
def house(folder, tmp_path):
    return make_trunk(tmp_path / "house", folder)


@pytest.fixture
def bank(tmp_path):
    with embank.Bank.create(tmp_path / "bank", options()) as made:
        yield made


def columns(bank):
    return [column.name for column in bank.summary().columns]


def rows(bank):
    return {name: bank.vectors(name).tobytes() for name in columns(bank)}


def encoders(bank):
    return sorted({name.split("/")[0] for name in columns(bank)})


def test_apart_a_trunk_is_an_encoder_for_each_prefix(house, bank):
    bank.encode(TEXTS, encoder=str(house))
    assert encoders(bank) == ["house.mood", "house.size"]
    assert len(columns(bank)) == 8
    for name in ("mood", "size"):
        (alone,) = locate_all(f"{house}#{name}")
        assert alone.name == f"house.{name}"
        assert alone.reading.prefix == read_prefix_folder(house).named(name).digest


def test_together_a_trunk_is_one_encoder(house, bank):
    bank.encode(TEXTS, encoder=f"{house}#together")
    assert encoders(bank) == ["house"]
    assert locate(f"{house}#together").reading.prefix not in {None, locate(f"{house}#mood").reading.prefix}


def test_a_trunk_says_itself_how_it_is_read(folder, tmp_path, bank):
    bank.encode(TEXTS[:4], encoder=str(make_trunk(tmp_path / "all", folder, combine="together")))
    assert encoders(bank) == ["all"]


def test_one_pass_for_all_prefixes_gives_what_a_pass_for_each_gives(house, bank, tmp_path, monkeypatch):
    passes = []
    run = TransformerEncoder.vectors
    monkeypatch.setattr(TransformerEncoder, "vectors", lambda self, *given: passes.append(1) or run(self, *given))
    bank.encode(TEXTS, encoder=str(house), codec="float32")
    shared = len(passes)
    with embank.Bank.create(tmp_path / "other", options()) as other:
        for name in ("mood", "size"):
            other.encode(TEXTS, encoder=f"{house}#{name}", codec="float32")
        assert shared < len(passes) - shared
        for name in columns(bank):
            np.testing.assert_allclose(bank.vectors(name), other.vectors(name), atol=1e-5)


def test_a_cut_shares_the_layers_below_it(folder, tmp_path):
    house = make_trunk(tmp_path / "upper", folder, from_layer=3)
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        wanted = [f"{name}/{layer}/mean@float32" for name in ("upper.mood", "upper.size") for layer in (2, 4)]
        bank.encode(TEXTS, encoder=str(house), columns=wanted)
        bank.encode(TEXTS, encoder=f"plain={folder}", columns=["plain/2/mean@float32", "plain/4/mean@float32"])
        below = [bank.vectors(f"{name}/2/mean@float32") for name in ("upper.mood", "upper.size", "plain")]
        above = [bank.vectors(f"{name}/4/mean@float32") for name in ("upper.mood", "upper.size", "plain")]
    np.testing.assert_allclose(below[0], below[2], atol=1e-6)
    np.testing.assert_allclose(below[1], below[2], atol=1e-6)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(above[one] - above[other]).max() > 1e-2


def test_the_model_is_loaded_once_for_all_prefixes(house, bank, monkeypatch):
    loaded = []
    begin = TransformerEncoder.__init__
    monkeypatch.setattr(TransformerEncoder, "__init__", lambda self, *given: loaded.append(1) or begin(self, *given))
    bank.encode(TEXTS[:4], encoder=str(house))
    assert len(loaded) == 1


def test_encoding_again_does_nothing_and_another_source_adds_its_columns_alone(house, bank):
    bank.encode(TEXTS, encoder=str(house))
    before = rows(bank)
    again = bank.encode(TEXTS, encoder=str(house))
    assert again.completed == again.new == 0
    put_prefix(house, "third", arrays(9), 0, {})
    added = bank.encode(TEXTS, encoder=str(house))
    assert added.completed == len(TEXTS)
    assert encoders(bank) == ["house.mood", "house.size", "house.third"]
    assert {name: content for name, content in rows(bank).items() if name in before} == before


def test_removing_a_source_leaves_other_bytes_and_predictions_as_they_were(house, bank):
    bank.encode(TEXTS, encoder=str(house))
    reads = {name: [one for one in columns(bank) if one.startswith(f"house.{name}/")] for name in ("mood", "size")}
    for task in ("mood", "size"):
        given = dataclasses.replace(settings(), columns=tuple(reads[task]), tail=None)
        bank.fit(task, moods(TEXTS), texts=TEXTS, settings=given)
    before, said = rows(bank), bank.predict(tasks=["mood"], proba=True).to_pydict()
    drop_prefix(house, "size")
    orphaned = {task for column in reads["size"] for task in bank.forget_column(column)}
    assert orphaned == {"size"}
    assert rows(bank) == {name: before[name] for name in reads["mood"]}
    assert bank.predict(tasks=["mood"], proba=True).to_pydict() == said
    with pytest.raises(HeadError, match="--refit"):
        bank.predict(tasks=["size"])
    bank.refit("size")
    assert bank.predict(tasks=["size"]).num_rows == len(TEXTS)


def test_new_texts_find_their_prefix_again(house, bank, tmp_path):
    bank.encode(TEXTS, encoder=str(house), codec="float32")
    with embank.Bank.open(tmp_path / "bank", options()) as again:
        again.encode(texts_of(8, 100))
        assert len(again) == len(TEXTS) + 8
        put_prefix(house, "mood", arrays(5), 0, {})
    with (
        embank.Bank.open(tmp_path / "bank", options()) as again,
        pytest.raises(EncoderChangedError, match="has changed since"),
    ):
        again.encode(texts_of(8, 200))


def test_calibrated_codecs_work_on_prefixed_columns(house, bank):
    bank.encode(TEXTS, encoder=str(house), codec="int8")
    assert all(name.endswith("@int8") for name in columns(bank))


def test_a_tail_on_an_encoder_with_prefixes_is_refused(house, bank):
    bank.encode(TEXTS, encoder=f"{house}#together", states=2)
    given = settings(columns=("house/2/states@float16",), tail={})
    with pytest.raises(UsageError, match="run without them"):
        bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=given)


def test_a_listing_has_an_encoder_for_each_prefix(house):
    assert [one.name for one in available_encoders([house])][-2:] == ["house.mood", "house.size"]


def test_what_cannot_be_found_is_said(house, folder, tmp_path):
    with pytest.raises(UsageError, match=r"is 2 encoders.*house\.mood"):
        locate(str(house))
    with pytest.raises(UsageError, match="no prefix 'x'"):
        locate(f"{house}#x")
    with pytest.raises(UsageError, match="no prefix yet"):
        locate(str(make_trunk(tmp_path / "empty", folder, ())))
    torn = make_trunk(tmp_path / "torn", save_tiny(tmp_path / "moved"))
    save_tiny(tmp_path / "moved", seed=8)
    with pytest.raises(EncoderError, match="another encoder"):
        locate_all(str(torn))
    openvino = embank.BankOptions(compute=embank.ComputeOptions("openvino", "float32"))
    with embank.Bank.create(tmp_path / "graph", openvino) as bank, pytest.raises(UsageError, match="torch alone"):
        bank.encode(TEXTS, encoder=str(house))


def test_a_chorus_makes_batches_smaller():
    def rows_of(*voices):
        rows = []
        encoder = FakeEncoder(budget=2048)
        readouts = [Readout(1, "mean", variant=voice) for voice in voices]
        encode_texts(encoder, ["no heat since Friday"] * 512, readouts, tick=rows.append)
        return rows

    assert rows_of("") == [256] * 2
    assert rows_of(*"abcd") == [64] * 8
