import re
from dataclasses import asdict, replace

import pytest

claims = pytest.importorskip("claims")
results = pytest.importorskip("results")
measuring = pytest.importorskip("measuring")

WRITTEN = claims.read()
ONE = claims.Claim(
    id="search.speed",
    section="search",
    claim="Search is quick",
    figure="4.4 times",
    target="at least 1 times",
    verdict="met",
    machine="AMD EPYC, 2 cores, 24 GiB",
    commit="abc1234",
    date="2026-11-27",
    command="python bench/search.py",
)


def test_the_page_is_what_claims_and_parts_say_now():
    assert results.current() == WRITTEN, "run: python bench/results.py"
    assert results.FILE.read_text(encoding="utf-8") == results.page(WRITTEN), "run: python bench/results.py"


def test_the_page_has_one_row_per_claim_and_at_most_150_lines():
    lines = results.FILE.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert [line.split("`")[1] for line in lines if line.startswith("| `")] == list(WRITTEN)


def test_a_page_that_would_be_longer_is_refused():
    many = {f"search.{number}": replace(ONE, id=f"search.{number}") for number in range(150)}
    with pytest.raises(ValueError, match="at most 150"):
        results.page(many)


@pytest.mark.parametrize("one", WRITTEN.values(), ids=list(WRITTEN))
def test_a_claim_has_all_fields(one):
    fields = asdict(one)
    parts = fields.pop("parts")
    assert all(isinstance(value, str) and value.strip() for value in fields.values())
    assert one.section in claims.SECTIONS
    assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", one.id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", one.date)
    assert re.fullmatch(r"[0-9a-f]{7,}\+?|not noted", one.commit)
    assert claims.number(one.figure) is not None
    assert bool(parts) == (one.id in results.figures.COMPUTED)


@pytest.mark.parametrize("one", WRITTEN.values(), ids=list(WRITTEN))
def test_a_verdict_agrees_with_figure_and_target(one):
    assert one.verdict == claims.verdict(one.figure, one.target)
    assert (one.verdict == "-") == (one.target == "-")


@pytest.mark.parametrize(
    ("figure", "target", "verdict"),
    [
        ("4.4 times", "at least 1 times", "met"),
        ("0.92 times", "at least 1 times", "short"),
        ("-3.37 points", "at least -0.5 points", "short"),
        ("+1.04 ± 0.44 points", "at least 1.5 points", "short"),
        ("98 MB", "at most 200 MB", "met"),
        ("268,619 texts/s", "at least 200,000 texts/s", "met"),
        ("-0.10 points", "within 0.2 points", "met"),
        ("-0.30 points", "within 0.2 points", "short"),
        ("2 of 6 sets", "at least 6 of 6 sets", "short"),
        ("65.4 ms", "-", "-"),
    ],
)
def test_a_verdict_is_computed(figure, target, verdict):
    assert claims.verdict(figure, target) == verdict


@pytest.mark.parametrize("target", ["as quick as faiss", "more than 1 times"])
def test_a_target_in_other_words_is_refused(target):
    with pytest.raises(ValueError, match="target"):
        claims.verdict("4 times", target)


def test_putting_a_claim_replaces_the_one_of_its_id_and_keeps_the_others(tmp_path):
    file = tmp_path / "claims.jsonl"
    other = replace(ONE, id="encode.speed", section="encode")
    for one in (ONE, other, replace(ONE, figure="0.5 times")):
        claims.put(one, file)
    assert claims.read(file) == {
        "encode.speed": other,
        "search.speed": replace(ONE, figure="0.5 times", verdict="short"),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["claims.jsonl"]


def test_an_id_that_stands_twice_is_refused(tmp_path):
    file = tmp_path / "claims.jsonl"
    claims.put(ONE, file)
    file.write_text(file.read_text() * 2)
    with pytest.raises(ValueError, match=r"search\.speed twice"):
        claims.read(file)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Log, claims and parts of a script, in a folder of their own."""
    monkeypatch.setattr(measuring, "LOG", tmp_path / "log")
    monkeypatch.setattr(measuring.claims.read, "__defaults__", (tmp_path / "claims.jsonl",))
    monkeypatch.setattr(measuring.claims.put, "__defaults__", (tmp_path / "claims.jsonl",))
    for function in (measuring.parts.find, measuring.parts.append):
        monkeypatch.setattr(function, "__defaults__", (tmp_path / "parts",))
    monkeypatch.setattr(measuring, "commit", lambda: "abc1234")
    claims.put(ONE, tmp_path / "claims.jsonl")
    return tmp_path


def test_a_script_changes_the_figure_of_its_claim_and_nothing_else(elsewhere):
    measuring.claim("search.speed", "0.8 times")
    one = claims.read(elsewhere / "claims.jsonl")["search.speed"]
    assert (one.figure, one.verdict, one.target, one.claim) == ("0.8 times", "short", ONE.target, ONE.claim)
    assert one.machine == measuring.machine()


def test_a_new_claim_needs_its_section_and_its_sentence(elsewhere):
    with pytest.raises(ValueError, match=r"search\.graph is new"):
        measuring.claim("search.graph", "0.99")
    measuring.claim("search.graph", "0.99", section="search", sentence="The graph finds it")
    assert claims.read(elsewhere / "claims.jsonl")["search.graph"].verdict == "-"


def test_a_script_appends_its_block_to_the_log_and_leaves_what_stands_there(elsewhere):
    measuring.record("Search", ["first"])
    (month,) = (elsewhere / "log").iterdir()
    before = month.read_text()
    measuring.record("Search", ["second"])
    assert month.read_text().startswith(before)
    assert month.read_text().count("## Search") == 2


def test_a_part_is_measured_once_and_names_commit_and_machine(elsewhere):
    assert [measuring.kept("pooling/one", lambda: 1), measuring.kept("pooling/one", lambda: 2)] == [1, 1]
    part = measuring.parts.find("pooling/one", elsewhere / "parts")
    assert (part["commit"], part["machine"]) == ("abc1234", measuring.machine())
