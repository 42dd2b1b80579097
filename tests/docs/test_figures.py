import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load_marks():
    spec = importlib.util.spec_from_file_location("marks", ROOT / "docs" / "marks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MARKS = load_marks()
PAGES = MARKS.pages()
KNOWN = {"speed": "4.4 times", "loss": "-0.97 points"}


def named(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_figure_of_a_page_is_that_of_its_claim_today(page):
    text = page.read_text(encoding="utf-8")
    assert MARKS.filled(text, MARKS.figures()) == text, "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_figure_with_a_unit_stands_outside_a_mark(page):
    found = list(MARKS.strays(page.read_text(encoding="utf-8")))
    assert not found, (
        "write each as <!--figure:id--><!--/figure--> with its claim in bench/claims.jsonl, run: make docs"
    )


def test_every_allowed_phrase_is_still_used():
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for phrase in MARKS.ALLOWED:
        assert re.search(MARKS.broken(phrase), everything), f"drop {phrase!r} from ALLOWED"


def test_a_mark_is_filled_and_everything_else_stays():
    text = "It is <!--figure:speed-->3 times<!--/figure--> faster | <!--figure:loss unsigned--><!--/figure--> behind."
    expected = "It is <!--figure:speed-->4.4 times<!--/figure--> faster | "
    expected += "<!--figure:loss unsigned-->0.97 points<!--/figure--> behind."
    assert MARKS.filled(text, KNOWN) == expected
    assert MARKS.filled(expected, KNOWN) == expected


def test_a_mark_of_an_unknown_claim_is_refused():
    with pytest.raises(KeyError, match="height"):
        MARKS.filled("<!--figure:height-->2 m<!--/figure-->", KNOWN)


@pytest.mark.parametrize(
    "text",
    ["<!--figure:speed-->4.4 times", "<!--figure: speed-->4.4 times<!--/figure-->", "4.4 times<!--/figure-->"],
    ids=["open", "misspelt", "closed only"],
)
def test_a_mark_that_is_not_whole_is_refused(text):
    with pytest.raises(ValueError, match="write a mark as"):
        MARKS.filled(text, KNOWN)


@pytest.mark.parametrize(
    "figure",
    [
        "4.4 times",
        "98 %",
        "98%",
        "2 to 5 points",
        "1 point",
        "268,619 texts/s",
        "240 texts per second",
        "4.44 ms",
        "0.34 s",
        "3 seconds",
        "20 GB",
        "512 MB",
        "795.8 bytes per text",
    ],
)
def test_a_figure_with_a_unit_is_found(figure):
    assert list(MARKS.strays(f"Embank takes {figure} here, they say."))


@pytest.mark.parametrize(
    "text",
    [
        "takes 2 bytes per number, four times over",
        "Python 3.11 or newer, scikit-learn 1.5",
        "`--states-budget 20 GB`",
        "```text\n108.3 s, 207 texts/s\n```",
        "of 13 sets, 3 layers, 96 dimensions",
        "It is <!--figure:speed-->4.4 times<!--/figure--> faster",
    ],
    ids=["definition", "version", "code", "printed", "count", "mark"],
)
def test_what_is_no_figure_of_a_measurement_is_left_alone(text):
    assert not list(MARKS.strays(text))


def test_claims_are_read_by_their_id():
    first = json.loads(MARKS.CLAIMS.read_text(encoding="utf-8").splitlines()[0])
    assert MARKS.figures()[first["id"]] == first["figure"]
