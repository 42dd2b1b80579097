"""Selection: informative columns are kept, useless ones are dropped, and a perceptron has to win clearly."""

import numpy as np
import pytest

from embank.errors import HeadError
from embank.fit.column_selection import LabelledColumns, SelectionSettings, select
from embank.heads.logistic import LogisticHead
from embank.heads.mlp import MLPHead
from embank.heads.multilabel import MultiLabelHead
from embank.heads.ridge import RidgeHead


def columns_of(texts, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(texts, 8)).astype(np.float32) for name in ("lower", "noise", "upper")}


def single(columns):
    return np.where(columns["lower"][:, 0] + columns["upper"][:, 0] > 0, "yes", "no")


def multi(columns):
    return np.stack([columns["lower"][:, 0] > 0, columns["upper"][:, 0] > 0], axis=1).astype(int)


def regression(columns):
    return columns["lower"][:, 0] + columns["upper"][:, 0]


LABELS = {"single": single, "multi": multi, "regression": regression}
ESTIMATORS = {"single": LogisticHead, "multi": MultiLabelHead, "regression": RidgeHead}


def test_fewer_columns_that_are_better_by_noise_alone_are_not_preferred():
    columns = columns_of(400)
    found = select(columns, regression(columns), "regression")
    assert 0 <= found.trials[1].score - found.trials[0].score < SelectionSettings().gain
    assert found.names == ("lower", "noise", "upper")


@pytest.mark.parametrize("kind", LABELS)
def test_a_column_of_noise_is_not_read_where_every_gain_counts(kind):
    columns = columns_of(400)
    found = select(columns, LABELS[kind](columns), kind, settings=SelectionSettings(gain=0.0))
    assert found.names == ("lower", "upper")
    assert isinstance(found.estimator, ESTIMATORS[kind])
    assert found.estimator.n_features_in_ == 16
    assert found.trials[0].names == ("lower", "noise", "upper")


@pytest.mark.parametrize("kind", LABELS)
def test_all_columns_are_read_where_that_is_asked_for(kind):
    columns = columns_of(200)
    found = select(columns, LABELS[kind](columns), kind, settings=SelectionSettings(columns="all"))
    assert found.names == ("lower", "noise", "upper")
    assert len(found.trials) == 1


@pytest.mark.parametrize("kind", LABELS)
def test_trials_record_scores_that_are_better_than_guessing(kind):
    columns = columns_of(400)
    found = select(columns, LABELS[kind](columns), kind)
    assert found.measure in ("macro_f1", "r2")
    assert all(0.6 < trial.score <= 1 and trial.rows == "held back" for trial in found.trials)


@pytest.mark.parametrize("kind", LABELS)
def test_one_column_is_simply_fitted(kind):
    columns = {"lower": columns_of(60)["lower"]}
    y = LABELS[kind](columns_of(60))
    assert select(columns, y, kind).names == ("lower",)


def ring(columns):
    X = columns["lower"]
    return np.where(np.hypot(X[:, 0], X[:, 1]) > 1.2, "out", "in")


def test_a_perceptron_is_taken_where_a_plane_cannot_separate():
    train, other = ({"lower": columns_of(1500, seed)["lower"][:, :3]} for seed in (0, 1))
    found = select(train, ring(train), "single", validation=LabelledColumns(other, ring(other)))
    assert isinstance(found.estimator, MLPHead)
    assert [trial.estimator for trial in found.trials] == ["linear", "linear", "perceptron"]
    assert found.trials[2].score > found.trials[1].score + 0.1


def test_a_perceptron_is_not_taken_where_a_plane_does():
    train, other = columns_of(1200), columns_of(300, seed=1)
    found = select(train, single(train), "single", validation=LabelledColumns(other, single(other)))
    assert isinstance(found.estimator, LogisticHead)


def test_no_perceptron_is_tried_on_few_rows():
    train, other = columns_of(300), columns_of(300, seed=1)
    found = select(train, single(train), "single", validation=LabelledColumns(other, single(other)))
    assert all(trial.estimator == "linear" for trial in found.trials)


def test_classes_of_one_example_do_not_stop_a_selection():
    columns = columns_of(30)
    y = single(columns).astype("U8")
    y[:2] = ("once", "only")
    found = select(columns, y, "single")
    assert {"once", "only"} <= set(found.estimator.classes_)


def test_what_cannot_be_learnt_is_refused():
    columns = columns_of(20)
    with pytest.raises(HeadError, match="one class only"):
        select(columns, ["spam"] * 20, "single")
    with pytest.raises(HeadError, match="no columns"):
        select({}, [], "single")
    with pytest.raises(HeadError, match="kind 'other'"):
        select(columns, single(columns), "other")
    with pytest.raises(HeadError, match=r"columns of \[10, 20\] rows"):
        select(columns | {"short": columns["lower"][:10]}, single(columns), "single")
    bad = columns["lower"].copy()
    bad[3] = np.nan
    with pytest.raises(HeadError, match="row 3"):
        select(columns | {"lower": bad}, single(columns), "single")


def test_validation_rows_need_the_columns_that_are_trained_on():
    train = columns_of(1200)
    with pytest.raises(HeadError, match="no validation rows of"):
        select(train, single(train), "single", validation=LabelledColumns({}, []))
