"""The scikit-learn transformer: pipelines, clones and cross-validation read through the bank."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import embank
from embank.errors import UsageError


def test_columns_work_in_a_pipeline_with_cross_validation(bank, texts, labels, column):
    model = make_pipeline(embank.Columns(bank, [column]), LogisticRegression(max_iter=1000))
    scores = cross_val_score(model, texts, labels["sign"], cv=3)
    assert scores.mean() > 0.7
    assert len(bank) == len(texts)


def test_a_clone_reads_the_same_bank(bank, texts, column):
    columns = embank.Columns(bank, [column])
    copy = clone(columns)
    assert copy is not columns
    assert copy.bank is bank
    np.testing.assert_array_equal(copy.fit_transform(texts[:9]), columns.fit_transform(np.array(texts[:9])))


def test_a_path_serves_as_well_as_an_open_bank(bank, texts, column):
    found = embank.Columns(str(bank.path)).fit(texts).transform(texts[:3])
    np.testing.assert_array_equal(found, bank.vectors(column, texts[:3]))


def test_a_bank_without_columns_asks_for_some(tmp_path, texts):
    with embank.Bank.create(tmp_path / "empty") as empty, pytest.raises(UsageError, match="has no columns yet"):
        embank.Columns(empty).fit(texts)
