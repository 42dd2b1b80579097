"""Prefixes on the command line: added, listed, replaced, removed; and a bank that follows."""

import csv
import json

import pytest

import embank
from embank.cli._app import app
from material.tails import moods, options, save_tiny, sizes, texts_of

TEXTS = texts_of(40)
QUICK = ("--epochs", "1", "--batch", "8", "--length", "2")
COMPUTE = ("--backend", "torch", "--dtype", "float32")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an encoder, rows and a list of sources."""
    folder = tmp_path_factory.mktemp("place")
    save_tiny(folder / "tiny")
    columns = {"text": TEXTS, "other": TEXTS[::-1], "mood": moods(TEXTS), "size": sizes(TEXTS)}
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    entries = [("mood", "mood", ""), ("size", "size", 'kind = "regression"'), ("pair", "mood", 'pair = "other"')]
    (folder / "sources.toml").write_text(
        "\n".join(
            f'[[source]]\nname = "{name}"\nfiles = "rows.csv"\ntext = "text"\nlabel = "{label}"\n{more}\n'
            for name, label, more in entries
        )
    )
    return folder


def called(*arguments):
    app([str(one) for one in arguments], standalone_mode=False)


def prefix(command, *arguments):
    called("prefix", command, *arguments)


@pytest.fixture
def trunk(place, tmp_path):
    house = tmp_path / "house"
    prefix("add", house, "--sources", place / "sources.toml", "--encoder", place / "tiny", "--quiet", *QUICK)
    return house


def encoded(bank):
    with embank.Bank.open(bank, options()) as opened:
        return {column.name: opened.vectors(column.name).tobytes() for column in opened.summary().columns}


def test_one_source_makes_a_new_trunk_and_encodes(place, tmp_path, capsys):
    house, bank = tmp_path / "house", tmp_path / "bank"
    columns = ("--text", "text", "--label", "mood")
    prefix("add", house, place / "rows.csv", "--source", "mood", *columns, "--encoder", place / "tiny", *QUICK)
    assert "prefix mood, 2 positions from layer 0 on; single" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"house"}
    called("encode", bank, place / "rows.csv", "--encoder", house, "--quiet", *COMPUTE)
    assert {name.split("/")[0] for name in encoded(bank)} == {"house.mood"}


def test_a_list_of_sources_is_trained_and_those_that_are_there_are_left(place, trunk, capsys):
    prefix("list", trunk, "--json")
    listed = json.loads(capsys.readouterr().out)["prefixes"]
    assert [one["name"] for one in listed] == ["mood", "pair", "size"]
    assert all("baseline" in one["source"] and "guess" not in one["source"] for one in listed)
    prefix("remove", trunk, "pair")
    capsys.readouterr()
    prefix("add", trunk, "--sources", place / "sources.toml", "--json", "--reparametrise", "--from-layer", "2", *QUICK)
    (made,) = json.loads(capsys.readouterr().out)["prefixes"]
    assert made["source"]["name"] == "pair"
    prefix("list", trunk)
    table = capsys.readouterr().out
    assert all(name in table for name in ("mood", "pair", "size", "from layer", "read apart"))


def test_a_bank_follows_what_is_added_replaced_and_removed(place, trunk, tmp_path, capsys):
    bank, rows = tmp_path / "bank", place / "rows.csv"
    encode = ("encode", bank, rows, "--encoder", trunk, "--quiet", *COMPUTE)
    called(*encode)
    reads = next(name for name in encoded(bank) if name.startswith("house.size/"))
    called("fit", bank, rows, "--task", "t", "--text", "text", "--label", "mood", "--columns", reads, "--quiet")
    before = encoded(bank)
    capsys.readouterr()
    prefix("remove", trunk, "size", "--bank", bank)
    printed = capsys.readouterr().out
    assert f"dropped {bank}: {reads}" in printed
    assert f"embank fit {bank} --refit --task t" in printed
    assert not [path for path in trunk.rglob("*") if "size" in path.name]
    left = {name: content for name, content in before.items() if not name.startswith("house.size/")}
    assert encoded(bank) == left
    with pytest.raises(embank.errors.HeadError, match="--refit"):
        called("predict", bank, "-o", tmp_path / "out.csv")
    called("fit", bank, "--refit", "--task", "t", "--quiet")
    called("predict", bank, "-o", tmp_path / "out.csv", "--quiet")
    more = ("--source", "mood", "--seed", "1", "--bank", bank, "--quiet")
    prefix("replace", trunk, "--sources", place / "sources.toml", *more, *QUICK)
    assert {name.split("/")[0] for name in encoded(bank)} == {"house.pair"}
    called(*encode)
    after = encoded(bank)
    assert {name.split("/")[0] for name in after} == {"house.pair", "house.mood"}
    assert all(after[name] == left[name] for name in left if name.startswith("house.pair/"))
    assert all(after[name] != left[name] for name in left if name.startswith("house.mood/"))


def test_together_has_one_set_of_columns_which_any_change_makes_void(place, trunk, tmp_path):
    bank = tmp_path / "bank"
    encode = ("encode", bank, place / "rows.csv", "--encoder", trunk, "--prefixes", "together", "--quiet", *COMPUTE)
    called(*encode)
    before = encoded(bank)
    assert {name.split("/")[0] for name in before} == {"house"}
    prefix("remove", trunk, "size")
    with pytest.raises(embank.errors.EncoderChangedError, match="prefix"):
        called(*encode)
    prefix("remove", trunk, "pair", "--bank", bank, "--quiet")
    assert not encoded(bank)
    called(*encode)
    assert encoded(bank).keys() == before.keys()


def test_mistakes_are_answered_in_one_line(place, trunk, tmp_path):
    sources = ("--sources", place / "sources.toml")
    wrong = [
        (("add", trunk, *sources), "use embank prefix replace"),
        (("add", trunk, *sources, "--source", "mood"), "use embank prefix replace"),
        (("add", trunk, *sources, "--source", "x"), "has no source 'x'; it has: mood, size, pair"),
        (("add", trunk, place / "rows.csv", *sources), "leave out FILE"),
        (("add", trunk, place / "rows.csv"), "say what is learned"),
        (("add", trunk, *sources, "--reads", "x"), "unknown --reads 'x'"),
        (("add", trunk, *sources, "--prefixes", "together"), "is read apart"),
        (
            ("add", tmp_path / "new", *sources, "--prefixes", "x", "--encoder", place / "tiny"),
            "unknown way to read prefixes",
        ),
        (("add", tmp_path / "new", *sources, "--length", "0"), "expected at least 1"),
        (("add", tmp_path, *sources), "is no prefix folder"),
        (("remove", trunk, "x"), "has no prefix 'x'"),
        (("replace", tmp_path / "none", *sources), "is no prefix folder"),
        (("list", tmp_path / "none"), "embank prefix add makes one"),
    ]
    for arguments, says in wrong:
        with pytest.raises(embank.errors.UsageError) as raised:
            prefix(*arguments)
        assert says in str(raised.value)
    for more, says in (
        (("--prefixes", "x"), "expected together or apart"),
        (("--prefixes", "apart"), "--encoder FOLDER"),
    ):
        with pytest.raises(embank.errors.UsageError, match=says):
            called("encode", tmp_path / "bank", place / "rows.csv", *more)
    assert not (tmp_path / "new").exists()
