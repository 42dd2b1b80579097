import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

parts = pytest.importorskip("parts")

ONE = {"commit": "abc1234", "day": "2026-11-27", "found": {"score": 0.5}}
TWO = {"commit": "def5678", "day": "2026-11-28", "found": {"score": 0.75}}


def test_a_part_is_found_again_under_its_key(tmp_path):
    parts.append("tails/1000-8/trec-full-0", ONE, tmp_path)
    assert parts.find("tails/1000-8/trec-full-0", tmp_path) == ONE
    assert [path.name for path in tmp_path.iterdir()] == ["tails.jsonl"]


def test_a_part_that_was_not_measured_is_none(tmp_path):
    parts.append("tails/trec", ONE, tmp_path)
    assert parts.find("tails/cola", tmp_path) is None
    assert parts.find("pooling/trec", tmp_path) is None


def test_the_last_line_of_a_key_wins_and_keeps_its_place(tmp_path):
    for key, part in (("tails/trec", ONE), ("tails/cola", ONE), ("tails/trec", TWO)):
        parts.append(key, part, tmp_path)
    assert list(parts.read("tails", tmp_path).items()) == [("tails/trec", TWO), ("tails/cola", ONE)]
    assert len((tmp_path / "tails.jsonl").read_text().splitlines()) == 3


@given(cut=st.integers(min_value=1, max_value=60))
def test_a_last_line_that_was_torn_is_ignored_and_the_study_goes_on(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("parts")
    parts.append("tails/trec", ONE, folder)
    whole = (folder / "tails.jsonl").read_bytes()
    parts.append("tails/cola", TWO, folder)
    torn = (folder / "tails.jsonl").read_bytes()[: len(whole) + cut]
    (folder / "tails.jsonl").write_bytes(torn)
    assert parts.read("tails", folder) == {"tails/trec": ONE}
    parts.append("tails/cola", TWO, folder)
    assert parts.read("tails", folder) == {"tails/trec": ONE, "tails/cola": TWO}
    assert (folder / "tails.jsonl").read_bytes().count(b"\n") == 2


def test_a_line_that_was_torn_of_its_end_alone_is_measured_again(tmp_path):
    parts.append("tails/trec", ONE, tmp_path)
    file = tmp_path / "tails.jsonl"
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    assert parts.find("tails/trec", tmp_path) is None


@pytest.mark.parametrize("line", ["{", "[]", "{}", "1", '{"found": 1}'])
def test_a_malformed_line_before_the_last_is_refused_with_its_number(tmp_path, line):
    parts.append("tails/trec", ONE, tmp_path)
    with (tmp_path / "tails.jsonl").open("a") as file:
        file.write(line + "\n")
    parts.append("tails/cola", ONE, tmp_path)
    with pytest.raises(ValueError, match="line 2 is malformed"):
        parts.read("tails", tmp_path)


def test_processes_that_append_to_one_study_lose_no_part(tmp_path):
    program = (
        "import sys; from pathlib import Path; sys.path.append(sys.argv[1]); import parts\n"
        "for number in range(50): parts.append(f'tails/{sys.argv[3]}-{number}', {'found': 'x' * 500}, Path(sys.argv[2]))"
    )
    bench = str(Path(parts.__file__).parent)
    started = [subprocess.Popen([sys.executable, "-c", program, bench, str(tmp_path), name]) for name in ("one", "two")]
    assert [process.wait() for process in started] == [0, 0]
    assert len(parts.read("tails", tmp_path)) == 100


def test_folding_moves_single_files_into_one_and_loses_nothing(tmp_path):
    files = {"plan/600/trec-finetune-0": ONE, "plan/600-12/trec": TWO, "plan/a.b-0.001": ONE}
    for key, part in files.items():
        path = tmp_path / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(part))
    with pytest.raises(ValueError, match="--fold plan"):
        parts.read("plan", tmp_path)
    assert parts.fold("plan", tmp_path) == 3
    assert parts.read("plan", tmp_path) == files
    assert [path.name for path in tmp_path.iterdir()] == ["plan.jsonl"]


def test_every_study_of_the_repository_can_be_read():
    studies = [path.stem for path in parts.FOLDER.glob("*.jsonl")]
    assert len(studies) >= 13
    for study in studies:
        for key, part in parts.read(study).items():
            assert key.startswith(f"{study}/")
            assert {"commit", "day", "found"} <= part.keys()
