"""Spans: answers as they are written, tokens that cover them, the best pair of start and end, SQuAD's scores."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.errors import HeadError, UsageError
from embank.labels.answers import Answer, best_span, read_answers, span_targets, span_text
from embank.metrics.spans import squad_scores

DATA = Path(os.environ.get("EMBANK_BENCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
RHINE = "the Rhine flows from Bingen to Bonn, and the Rhine is long"
LOGIT = st.floats(-9, 9, allow_nan=False, width=32)


def places(text):
    """Tokens that are words and signs."""
    starts, ends = np.array([match.span() for match in re.finditer(r"\w+|[^\w\s]", text)], np.int32).reshape(-1, 2).T
    return starts, ends


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ({"text": ["Rhine"], "answer_start": [45]}, Answer(("Rhine",), (45,))),
        ({"text": ["Rhine", "the Rhine"], "answer_start": [4, 0]}, Answer(("Rhine", "the Rhine"), (4, 0))),
        ({"text": np.array(["Rhine"], object), "answer_start": np.array([45])}, Answer(("Rhine",), (45,))),
        ({"text": "Rhine", "answer_start": 45}, Answer(("Rhine",), (45,))),
        ({"text": "Rhine", "answer_start": 45.0}, Answer(("Rhine",), (45,))),
        ({"text": ["Rhine"]}, Answer(("Rhine",), (4,))),
        (
            [{"text": "Rhine", "answer_start": 45}, {"text": "Bonn", "answer_start": 31}],
            Answer(("Rhine", "Bonn"), (45, 31)),
        ),
        ("Rhine", Answer(("Rhine",), (4,))),
        (["Bonn", "Rhine"], Answer(("Bonn", "Rhine"), (31, 4))),
        (np.array(["Bonn"]), Answer(("Bonn",), (31,))),
        ({"text": [], "answer_start": []}, Answer()),
        ({"text": [""], "answer_start": [-1]}, Answer()),
        ({"text": "", "answer_start": None}, Answer()),
        ([], Answer()),
        ("", Answer()),
        (" ", Answer()),
        (None, None),
        (float("nan"), None),
        ({"text": None, "answer_start": None}, None),
    ],
)
def test_answers_are_read_as_users_write_them(value, right):
    assert read_answers([value, "Bonn"], [RHINE, RHINE])[0] == right
    if isinstance(value, dict | list) and right is not None and "array" not in repr(value):
        assert read_answers([json.dumps(value)], [RHINE]) == [right]


def test_a_plain_answer_may_look_like_json():
    for text in ("[12]", '{"a": 1}', "[see", "{"):
        assert read_answers([text], [f"as {text} says"]) == [Answer((text,), (3,))]
    assert read_answers(['["Bonn"]'], [RHINE]) == [Answer(("Bonn",), (31,))]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("Basel", "row 1: 'Basel' does not stand in its context"),
        (
            {"text": ["Rhine"], "answer_start": [5]},
            "does not stand at 5 in its context, it does at 4; starts count char",
        ),
        ({"text": ["Basel"], "answer_start": [4]}, "does not stand at 4 in its context, nor anywhere else"),
        ({"text": ["ong"], "answer_start": [-3]}, "does not stand at -3"),
        ({"text": ["Rhine"], "answer_start": ["4"]}, "does not stand at '4'"),
        ({"text": ["Rhine"], "answer_start": [4, 45]}, "it has 1 texts and 2 starts"),
        ({"texts": ["Rhine"]}, 'expected "text" and "answer_start"'),
        ({"text": [7], "answer_start": [0]}, "it has 7, expected the answer's text"),
        (1920, "it has 1920, expected the answer's text"),
    ],
)
def test_answers_that_do_not_fit_their_context_are_counted_and_the_first_is_shown(value, reason):
    with pytest.raises(HeadError) as refused:
        read_answers(["Bonn", value, "Bonn", "nowhere"], [RHINE] * 4)
    assert "found 2 of 4 answers that do not fit" in str(refused.value)
    assert reason in str(refused.value)


def test_columns_without_answers_and_of_other_lengths_are_refused():
    with pytest.raises(HeadError, match="none of the 2 rows has an answer"):
        read_answers([None, None], [RHINE, RHINE])
    with pytest.raises(UsageError, match="found 1 answers and 2 contexts"):
        read_answers(["Bonn"], [RHINE, RHINE])
    with pytest.raises(HeadError, match="found 1 answers and 0 starts"):
        Answer(("Bonn",))


def test_a_row_without_a_context_is_not_labelled():
    assert read_answers(["Bonn", "Bonn", ""], [RHINE, None, 7])[1:] == [None, None]


@given(st.text("ab .,\n", min_size=1, max_size=40), st.data())
def test_the_tokens_of_an_answer_cover_its_characters_and_no_fewer_would(context, drawn):
    start = drawn.draw(st.integers(0, len(context) - 1))
    text = context[start : drawn.draw(st.integers(start + 1, len(context)))]
    starts, ends = places(context)
    mask = np.ones(len(starts), np.bool_)
    first, last = span_targets(Answer((text,), (start,)), starts, ends, mask)
    if not text.strip():
        assert (first, last) == (-1, -1)
        return
    assert 0 <= first <= last
    assert text.strip() in span_text(context, starts, ends, first, last)
    assert starts[first] <= start + len(text) - len(text.lstrip()) < ends[first]
    assert starts[last] < start + len(text.rstrip()) <= ends[last]


def test_an_answer_that_was_cut_off_or_is_not_there_is_nowhere():
    starts, ends = places(RHINE)
    mask = np.ones(len(starts), np.bool_)
    bonn = read_answers(["Bingen to Bonn"], [RHINE])[0]
    assert span_targets(bonn, starts, ends, mask) == (4, 6)
    assert span_targets(bonn, starts[:7], ends[:7], mask[:7]) == (4, 6)
    assert span_targets(bonn, starts[:6], ends[:6], mask[:6]) == (-1, -1)
    assert span_targets(bonn, starts[5:], ends[5:], mask[5:]) == (-1, -1)  # the left was cut
    assert span_targets(Answer(), starts, ends, mask) == (-1, -1)
    assert span_targets(None, starts, ends, mask) == (-1, -1)
    assert span_targets(bonn, starts, ends, ~mask) == (-1, -1)


def test_of_several_answers_the_first_that_was_read_as_a_whole_is_the_target():
    starts, ends = places(RHINE)
    several = Answer(("Bonn", "Rhine"), (31, 4))
    assert span_targets(several, starts, ends, np.ones(len(starts), np.bool_)) == (6, 6)
    assert span_targets(several, starts[:5], ends[:5], np.ones(5, np.bool_)) == (1, 1)


def test_tokens_of_the_question_and_special_tokens_are_no_part_of_a_target():
    starts = np.array([0, 0, 4, 0, 0, 4, 10, 0], np.int32)  # [CLS] the Rhine [SEP] the Rhine flows [SEP]
    ends = np.array([0, 3, 9, 0, 3, 9, 15, 0], np.int32)
    mask = np.array([0, 0, 0, 0, 1, 1, 1, 0], np.bool_)
    assert span_targets(Answer(("the Rhine",), (0,)), starts, ends, mask) == (4, 5)
    assert span_text(RHINE, starts, ends, 4, 5) == "the Rhine"
    assert span_text(RHINE, starts, ends, -1, -1) == ""


def by_trying_all(start_logits, end_logits, mask, most):
    """The probability of each span that is allowed."""
    begin, end = (np.where(mask, np.exp(logits.astype(np.float64)), 0.0) for logits in (start_logits, end_logits))
    begin, end = begin / begin.sum(), end / end.sum()
    pairs = [(i, j) for i in range(len(mask)) for j in range(i, min(i + most, len(mask))) if mask[i] and mask[j]]
    return {(i, j): begin[i] * end[j] for i, j in pairs}


@given(st.lists(st.tuples(LOGIT, LOGIT, st.booleans()), min_size=1, max_size=20), st.integers(1, 25))
def test_the_best_span_is_the_best_of_all_that_are_allowed(rows, most):
    start_logits, end_logits = (np.array([row[at] for row in rows], np.float32) for at in (0, 1))
    mask = np.array([row[2] for row in rows])
    first, last, score = best_span(start_logits, end_logits, mask, most)
    if not mask.any():
        assert (first, last, score) == (-1, -1, 0.0)
        return
    allowed = by_trying_all(start_logits, end_logits, mask, most)
    assert score == pytest.approx(max(allowed.values()))
    assert score == pytest.approx(allowed[first, last])
    assert 0.0 < score <= 1.0 + 1e-12


def test_of_equal_spans_the_first_and_shortest_is_chosen():
    flat = np.zeros(5, np.float32)
    assert best_span(flat, flat, np.array([0, 1, 1, 1, 0], np.bool_)) == (1, 1, pytest.approx(1 / 9))


def test_large_logits_do_not_overflow_and_short_spans_are_kept():
    start, end = np.array([0, 1e4, 0, 0], np.float32), np.array([1e4, 0, 1, 9e3], np.float32)
    mask = np.ones(4, np.bool_)
    assert best_span(start, end, mask)[:2] == (1, 3)
    assert best_span(start, end, mask, 2)[:2] == (1, 2)
    with pytest.raises(UsageError, match="found spans of at most 0 tokens"):
        best_span(start, end, mask, 0)


@given(st.integers(1, 30), st.data())
def test_a_target_is_found_again_by_logits_that_point_at_it(size, drawn):
    first = drawn.draw(st.integers(0, size - 1))
    last = drawn.draw(st.integers(first, size - 1))
    rows = np.eye(size) * 20
    assert best_span(rows[first], rows[last], np.ones(size, np.bool_))[:2] == (first, last)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_every_answer_of_xquad_is_found_by_its_characters(split):
    file = DATA / "qa" / "xquad_en" / f"{split}.parquet"
    if not file.is_file():
        pytest.skip(f"no {file.name} of xquad_en")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(file).to_pylist()
    contexts = [row["context"] for row in rows]
    written = [{"text": [row["answer_text"]], "answer_start": [row["answer_start"]]} for row in rows]
    answers = read_answers(written, contexts)
    assert [answer.starts[0] for answer in answers] == [row["answer_start"] for row in rows]
    plain = read_answers([row["answer_text"] for row in rows], contexts)
    assert all(one.starts[0] <= other.starts[0] for one, other in zip(plain, answers, strict=True))
    guesses = []
    for answer, context in zip(answers, contexts, strict=True):
        starts, ends = places(context)
        span = span_targets(answer, starts, ends, np.ones(len(starts), np.bool_))
        guesses.append(span_text(context, starts, ends, *span))
        assert answer.texts[0] in guesses[-1]
    assert squad_scores(guesses, answers)["exact_match"] > 0.99
