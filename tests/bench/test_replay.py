"""Replay: what two walks left is equal where it is, and one changed byte, number or recipe is found and named."""

import importlib
import importlib.util
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "bench" / "replay"


@pytest.fixture(scope="module")
def tool():
    """Imports a file of the tool."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module


@pytest.fixture(scope="module")
def walked(tool, tmp_path_factory):
    """What the steps on the fake encoder leave."""
    walk = tool("walk").Walk(tmp_path_factory.mktemp("walked") / "out")
    tool("steps_fake").walk(walk)
    assert walk.failed == {}
    return walk.out


@pytest.fixture
def changed(walked, tmp_path):
    """A copy of it, elsewhere."""
    return Path(shutil.copytree(walked, tmp_path / "elsewhere"))


@pytest.fixture
def differing(tool, walked, changed):
    """Compares the copy with what it is a copy of; gives what differs."""

    def found():
        compared = tool("compare").compare(walked, changed)
        assert len(compared) > 100
        return {one.name: one.difference for one in compared if one.difference}

    return found


def catalogue(folder, statement, bank="fake"):
    connection = sqlite3.connect(folder / "banks" / bank / "catalogue.sqlite")
    with connection:
        assert connection.execute(statement).rowcount != 0
    connection.close()


def column_folder(folder, column):
    connection = sqlite3.connect(folder / "banks" / "fake" / "catalogue.sqlite")
    ((place,),) = connection.execute("SELECT folder FROM columns WHERE name = ?", (column,)).fetchall()
    connection.close()
    return folder / "banks" / "fake" / place


def flip(path, at=-1):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_copy_is_equal(differing):
    assert differing() == {}


def test_dates_durations_and_the_version_do_not_count(changed, differing):
    for path, value in (("fitted_at", "'2000-01-01'"), ("seconds", "99.5"), ("chosen.training seconds", "7")):
        catalogue(changed, f"UPDATE tasks SET record = json_set(record, '$.{path}', {value})")
    marker = changed / "banks" / "fake" / "embank.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "made_by": "embank 9"}))
    (changed / "banks" / "fake" / "lock").write_text("4711")
    assert differing() == {}


def test_a_flipped_byte_of_a_segment_is_found_in_its_row_and_column(changed, differing):
    (first, _) = sorted(column_folder(changed, "fake/2/mean@int8").glob("*.npy"))
    flip(first)
    ((name, difference),) = differing().items()
    assert name == f"banks/fake/fake/2/mean@int8/{first.name}"
    assert difference.startswith("array[71, 15]: ")
    assert difference.endswith("1 of 1152 differ")


def test_the_same_values_in_other_bytes_are_found(changed, differing):
    (first, _) = sorted(column_folder(changed, "fake/2/mean@float32").glob("*.npy"))
    content = first.read_bytes()
    first.write_bytes(content.replace(b"'shape'", b'"shape"'))
    assert differing() == {f"banks/fake/fake/2/mean@float32/{first.name}": "the same values in other bytes"}


def test_a_changed_recipe_is_found_and_named(changed, differing):
    catalogue(changed, "UPDATE columns SET recipe = json_set(recipe, '$.reading.max_tokens', 63) WHERE number = 1")
    assert list(differing()) == ["banks/fake/catalogue.sqlite: table columns"]
    assert "recipe.reading.max_tokens: " in differing()["banks/fake/catalogue.sqlite: table columns"]


def test_a_changed_fingerprint_leaves_the_rows_of_its_column_equal(changed, differing):
    before = column_folder(changed, "fake/2/mean@int4")
    after = before.with_name("0" * 32)
    before.rename(after)
    catalogue(
        changed, f"UPDATE columns SET folder = 'columns/{after.name}', fingerprint = '{after.name}' WHERE number = 4"
    )
    assert list(differing()) == ["banks/fake/catalogue.sqlite: table columns"]


def test_a_changed_weight_of_a_head_is_found_and_named(changed, differing):
    head = next((changed / "banks" / "fake" / "tasks").glob("city-*/head.safetensors"))
    flip(head)
    ((name, difference),) = differing().items()
    assert name == str(head.relative_to(changed))
    assert difference.startswith("tensors.")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE ids SET id = 'other' WHERE id = 't5'", "table ids"),
        ("UPDATE bodies SET body = x'00' WHERE text = 3", "table bodies"),
        ("DELETE FROM faults", "table faults"),
        ("UPDATE segments SET last = last + 1 WHERE number = 1", "table segments"),
        ("UPDATE tasks SET record = json_set(record, '$.validation.accuracy', 0.123)", "table tasks"),
        ("ALTER TABLE texts ADD COLUMN length INTEGER", "layout"),
    ],
)
def test_a_change_of_the_catalogue_names_its_table(changed, differing, statement, expected):
    catalogue(changed, statement)
    assert f"banks/fake/catalogue.sqlite: {expected}" in differing()


def test_what_is_missing_on_a_side_is_found(changed, differing):
    (changed / "tables" / "fake-duplicates-0.7.json").unlink()
    (changed / "files" / "new.npy").write_bytes(b"")
    assert differing() == {
        "tables/fake-duplicates-0.7.json": "only on the base",
        "files/new.npy": "only in the working tree",
    }


@pytest.mark.parametrize(
    ("one", "other"), [(0.0, -0.0), (1, 1.0), (1, True), ([1], [1, 2]), ({"a": 1}, {}), (b"a", "a")]
)
def test_what_python_calls_equal_or_nearly_so_is_told_apart(tool, one, other):
    assert tool("compare").difference(one, other)
    assert tool("compare").difference(other, one)
    assert tool("compare").difference(float("nan"), float("nan")) is None


def test_a_failed_step_or_nothing_to_compare_is_not_equal(tool, capsys):
    started = importlib.util.spec_from_file_location("replay_main", FOLDER / "__main__.py")
    main = importlib.util.module_from_spec(started)
    started.loader.exec_module(main)
    sound = {"seconds": {"encode": 1.0}, "failed": {}, "skipped": []}
    equal = [tool("compare").Compared("tables/a.json", None)]
    differs = [tool("compare").Compared("tables/a.json", "[0]: 1, now 2")]
    assert main.report(equal, {"base": sound, "here": sound}, every=False) == 0
    assert main.report(differs, {"base": sound, "here": sound}, every=False) == 1
    assert main.report([], {"base": sound, "here": sound}, every=False) == 1
    capsys.readouterr()
    broken = {**sound, "failed": {"encode": "Traceback: no such name"}}
    assert main.report(equal, {"base": broken, "here": broken}, every=False) == 1
    assert "here: encode" in capsys.readouterr().out


def test_the_first_place_that_a_side_has_is_used(tool, monkeypatch):
    names = tool("names")
    monkeypatch.setitem(names.PLACES, "loads", ("json.newer:loads", "json:parse", "json:loads"))
    assert names.get("loads") is json.loads
    monkeypatch.setitem(names.PLACES, "loads", ("json.newer:loads",))
    with pytest.raises(LookupError, match="add its new place to PLACES"):
        names.get("loads")


def test_a_command_that_a_side_lacks_goes_by_its_older_words(tool, monkeypatch):
    names = tool("names")
    monkeypatch.setitem(names.COMMANDS, "train", (("distill", "train"), ("trunk", "project")))
    monkeypatch.setitem(names.FLAGS, "--texts", ("--corpus", "--texts"))
    asked = []

    def run(words):
        asked.append(words)
        return (0, "done", "") if words == ["trunk", "project", "--texts", "a"] else (2, "", "no such command")

    monkeypatch.setattr(names, "_run", run)
    assert names.command("train", "--texts", "a") == "done"
    assert asked[0] == ["distill", "train", "--corpus", "a"]
    monkeypatch.setattr(names, "_run", lambda _: (2, "", "no such command"))
    with pytest.raises(LookupError, match="add its new words to COMMANDS or FLAGS"):
        names.command("train", "--texts", "a")
    monkeypatch.setattr(names, "_run", lambda _: (1, "", "no such file"))
    with pytest.raises(RuntimeError, match="no such file"):
        names.command("train", "--texts", "a")


def test_a_field_goes_by_the_name_that_a_side_has(tool, monkeypatch):
    names = tool("names")
    monkeypatch.setitem(names.FIELDS, ("TailSettings", "width"), ("adapter_width", "width"))
    assert names.make("TailSettings", width=8) == names.get("TailSettings")(width=8)
    with pytest.raises(LookupError, match="add its new name to FIELDS"):
        names.make("TailSettings", depth=8)


def test_a_changed_probability_is_found_to_the_last_bit(changed, differing):
    path = changed / "tables" / "fake-predicted.json"
    rows = json.loads(path.read_text())
    before = rows[3]["single_score"]
    rows[3]["single_score"] = float(np.nextafter(before, 2))
    path.write_text(json.dumps(rows))
    assert differing() == {"tables/fake-predicted.json": f"[3].single_score: {before}, now {rows[3]['single_score']}"}
