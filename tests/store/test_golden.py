"""What is on users' disks is read for ever: a bank of each released format version, fingerprints, keys of texts."""

import shutil
import sqlite3
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from embank.encode.columns import readout_of
from embank.recipe import ColumnName, Reading, Recipe
from embank.store import FORMAT_VERSION
from embank.store.folder import Store
from embank.store.kept_texts import unpack
from embank.store.schema import version_of
from embank.store.states import StatesReader
from embank.store.vectors import codec_of, encoded
from embank.store.verify import verify
from embank.testing import FakeEncoder
from embank.texts import text_key
from store.golden.make_golden import COLUMNS, PAIR, TEXTS
from store.material import files

GOLDEN = Path(__file__).parent / "golden"

FINGERPRINTS = {
    "fake/1/mean@float16": "7de3c584c84027604f83706169fb6ef1",
    "fake/2/max+unit@int8": "1845fd348a4625dde0da79af6952dd40",
    "fake/0/first@binary": "83fb788eae23c9d9c860974d7ac50522",
    "fake/3/last@float32": "262443ea587d91364571891cc931da53",
}
ROWS = {
    "fake/1/mean@float16": "a38555a61d79927d1f4a1244e43861b3",
    "fake/2/max+unit@int8": "0873b05b0c47f78812ee1c4cc0c930d0",
    "fake/0/first@binary": "a05f820de4c9dbb5db24ae15b3a1c73f",
    "fake/3/last@float32": "c553541a6e65b0563051597ee3cfeeff",
}
CALIBRATIONS = {
    "fake/2/max+unit@int8": "8a6a96851a947d0d635641d70184b559",
    "fake/0/first@binary": "d5a5a500b7b17c5af44114231d2b1902",
}


@pytest.fixture
def golden(tmp_path):
    """A copy of the bank of format version 1: to open a bank makes files beside its catalogue."""
    with Store(Path(shutil.copytree(GOLDEN / "version-1", tmp_path / "bank"))) as store:
        yield store


STATES_ROWS = {
    "fake/2/states@float16": "d5381350e26f452333e4db2368aa2270",
    "fake/1/states+segments2@int8": "89632bc3c117e4b7a0eb04e25e453e89",
}


REDUCED_RECIPES = {
    "fake/1/mean+pca3@int8": ("d89a99b0e90adb40f0a528c86cd1c343", "9b136de5b8e04abbb44773ffef7b266e"),
    "fake/2/mean+unit+centred+pca4+dims2+unit@float32": (
        "2d98a32e909d1bf1a0ac75b9dc2f345e",
        "d6db7bf52f66c22c80778b0fbb7ea367",
    ),
    "fake/1/mean+pca3@binary": ("c65b706b368c1d31a29508743a97bb7b", "9b136de5b8e04abbb44773ffef7b266e"),
}
REDUCED_ROWS = {
    "fake/1/mean+pca3@int8": "e059729ed90002b59a1297747f6c69b5",
    "fake/2/mean+unit+centred+pca4+dims2+unit@float32": "eecb831f636e1b114c7a8eebf04e1ad4",
    "fake/1/mean+pca3@binary": "79a6276597e36e908108d11a96aba352",
}


def test_a_bank_of_the_first_version_becomes_one_of_this_version_and_keeps_its_rows(golden):
    with golden.writer():
        pass
    with sqlite3.connect(golden.root / "catalogue.sqlite") as connection:
        assert version_of(connection) == FORMAT_VERSION


def test_the_golden_bank_of_version_2_gives_every_state_to_the_byte(tmp_path):
    with Store(Path(shutil.copytree(GOLDEN / "version-2", tmp_path / "bank"))) as store:
        assert verify(store) == []
        for name, digest in STATES_ROWS.items():
            reader = store.reader(name)
            found = StatesReader(reader).gather(reader.covered())
            content = found.rows.tobytes() + found.lengths.tobytes()
            assert blake2b(content, digest_size=16).hexdigest() == digest, name


def test_the_golden_bank_of_reduced_columns_gives_every_row_to_the_byte_and_makes_them_again(tmp_path):
    encoder = FakeEncoder(width=12)
    with Store(Path(shutil.copytree(GOLDEN / "version-2-reduced", tmp_path / "bank"))) as store:
        assert verify(store) == []
        found = {name: column.recipe for name, column in store.catalogue.columns().items()}
        assert {name: (recipe.fingerprint, recipe.reduction) for name, recipe in found.items()} == REDUCED_RECIPES
        for name, digest in REDUCED_ROWS.items():
            reader = store.reader(name)
            rows = reader.gather(reader.covered())
            assert blake2b(rows.tobytes(), digest_size=16).hexdigest() == digest, name
            readout = readout_of(ColumnName.parse(name))
            vectors = np.stack([encoder.vector_of(text, readout) for text in TEXTS])
            np.testing.assert_array_equal(encoded(store, store.column(name), vectors), rows)


def test_there_is_a_golden_bank_of_this_format_version():
    assert (GOLDEN / f"version-{FORMAT_VERSION}").is_dir()


def test_the_golden_bank_is_whole(golden):
    assert verify(golden) == []
    before = {path: path.read_bytes() for path in files(golden.root, "*.npy")}
    with golden.writer():
        pass  # a writer clears away what the catalogue does not know
    assert {path: path.read_bytes() for path in files(golden.root, "*.npy")} == before


def test_the_golden_bank_gives_every_row_to_the_byte(golden):
    columns = golden.catalogue.columns()
    assert {name: column.recipe.fingerprint for name, column in columns.items()} == FINGERPRINTS
    assert {name: c.recipe.calibration for name, c in columns.items() if c.recipe.calibration} == CALIBRATIONS
    for name in columns:
        reader = golden.reader(name)
        rows = reader.gather(reader.covered())
        assert blake2b(rows.tobytes(), digest_size=16).hexdigest() == ROWS[name], name
    assert list(columns) == list(COLUMNS)
    assert golden.reader(COLUMNS[3]).covered().tolist() == [*range(0, 21, 2), 21]


def test_rows_made_today_are_those_of_the_golden_bank(golden):
    encoder = FakeEncoder(width=12)
    everything = [*TEXTS, PAIR]
    for name, column in golden.catalogue.columns().items():
        reader = golden.reader(name)
        readout = readout_of(ColumnName.parse(name))
        vectors = np.stack([encoder.vector_of(everything[text], readout) for text in reader.covered()])
        np.testing.assert_array_equal(codec_of(golden, column).encode(vectors), reader.gather(reader.covered()))


def test_the_golden_bank_knows_its_texts_ids_bodies_tasks_and_faults(golden):
    catalogue = golden.catalogue
    everything = [*TEXTS, PAIR]
    assert catalogue.lookup([text_key(text) for text in everything]).tolist() == list(range(22))
    assert [unpack(body) for _, body in catalogue.bodies()] == everything
    assert catalogue.texts_of_ids([0, 19, "snow", "pair", "null"]) == {0: 0, 19: 19, "snow": 20, "pair": 21}
    assert catalogue.faults() == [("pairs", 1, "null", "null")]
    assert catalogue.encoders()["fake"][0] == Reading(weights="fake-12-4", tokenizer="words", max_tokens=64)
    task = catalogue.tasks()["topic"]
    assert task.record == {"columns": ["fake/1/mean@float16"], "kind": "single"}
    assert (golden.root / task.parts[0].file).read_bytes() == b'{"labels": []}'


READING = Reading(weights="weights-digest", tokenizer="tokenizer-digest")
OTHER = Reading(
    weights="w",
    tokenizer="t",
    prompt="query: ",
    max_tokens=256,
    truncation="left",
    long="windows",
    prefix="pppp",
    compute="bfloat16",
)


@pytest.mark.parametrize(
    ("recipe", "fingerprint"),
    [
        (
            Recipe(reading=READING, layer=4, pooling="mean", steps=(), codec="float16"),
            "75eede7f663dde1a36487ef3afd96901",
        ),
        (
            Recipe(reading=READING, layer=4, pooling="mean", steps=(), codec="int8", calibration="00ff" * 8),
            "8f550580768a4a4068d01da344e23bdd",
        ),
        (
            Recipe(reading=OTHER, layer=12, pooling="own", steps=("unit",), codec="binary", calibration="ab" * 16),
            "de401242eb7b73a24c2710c92f1433de",
        ),
        (
            Recipe(reading=READING, layer=6, pooling="mean", steps=("dims64",), codec="float16"),
            "6ac9c7598c529258010eb68c4e176b23",
        ),
        (
            Recipe(
                reading=READING,
                layer=6,
                pooling="mean",
                steps=("unit", "pca64"),
                codec="int8",
                calibration="00ff" * 8,
                reduction="cd" * 16,
            ),
            "ceff9c9004436c2c939475cf6b6f064d",
        ),
    ],
)
def test_a_recipe_keeps_its_fingerprint(recipe, fingerprint):
    assert recipe.fingerprint == fingerprint


def test_recipes_that_differ_in_their_codec_only_share_their_source():
    for codec, calibration in (("float16", ""), ("int8", "00ff" * 8)):
        assert (
            Recipe(reading=READING, layer=4, pooling="mean", steps=(), codec=codec, calibration=calibration).source
            == "08b3e77b003c7cb2d99ca35374d2697b"
        )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "bbf7769fea5c8d41a9068bd6edbb2c13"),
        ("no heat since Friday", "92184278663f1e6fc2f9e4c2b4ee0c0f"),
        ("naïve ☃ 漢字", "dc9e877ccd8ac7581c1fd829bb0f85f6"),
        (("a question", "a context"), "4a358bc2959d562e01e92324b7a83c3e"),
        (("", "ab"), "430043144ed536d0f64e9d3a2baa06cd"),
    ],
)
def test_a_text_keeps_its_key(text, key):
    assert text_key(text).hex() == key
