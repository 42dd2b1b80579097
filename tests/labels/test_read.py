"""Label columns, read as people mean them."""

import pytest

from embank.errors import HeadError, UsageError
from embank.labels.read import read_labels


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["a", "b", "a"], "single", ("a", "b", "a")),
        ([0, 1, 1], "single", ("0", "1", "1")),
        ([0.0, 1.0, float("nan")], "single", ("0", "1", None)),
        ([True, False], "single", ("true", "false")),
        (["1", "2", "", None], "single", ("1", "2", None, None)),
        ([1.5, 2.0], "regression", (1.5, 2.0)),
        (["0.5", "7", ""], "regression", (0.5, 7.0, None)),
        (list(range(30)), "regression", tuple(map(float, range(30)))),
        ([["b", "a"], [], None], "multi", (("a", "b"), (), None)),
        (['["x", "y"]', "[]"], "multi", (("x", "y"), ())),
        (["a|b", "b", "a", ""], "multi", (("a", "b"), ("b",), ("a",), ())),
        (["either|or", "neither|nor", "x"], "single", ("either|or", "neither|nor", "x")),
    ],
)
def test_label_columns_are_read_as_people_mean_them(values, kind, read):
    labels = read_labels(values)
    assert (labels.kind, labels.values) == (kind, read)


def test_a_given_kind_overrules_the_guess():
    assert read_labels([0, 1, 2], "regression").values == (0.0, 1.0, 2.0)
    assert read_labels(["a|b"], "single").values == ("a|b",)
    assert read_labels(["a", "b"], "multi").values == (("a",), ("b",))


def test_labels_that_do_not_fit_their_kind_are_refused():
    with pytest.raises(HeadError, match="is no number"):
        read_labels(["a", "b"], "regression")
    with pytest.raises(HeadError, match="no single label"):
        read_labels([["a"]], "single")
    with pytest.raises(HeadError, match="none of the 2 rows has a label"):
        read_labels([None, float("nan")])
    with pytest.raises(UsageError, match="auto, single, multi, regression"):
        read_labels(["a"], "many")
