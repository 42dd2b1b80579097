"""Columns that are computed of others stand aside when new texts are encoded, whatever options are given."""

import numpy as np
import pytest

import embank
from embank.errors import EncoderChangedError, UsageError
from material.distill import settings as distillation
from material.tails import COLUMN, moods, options, save_tiny, texts_of

TEXTS, NEW = texts_of(60), texts_of(9, 700)
LOOP = embank.TrainingSettings(epochs=1, batch=16, rate=2e-3)
READS = {"max tokens": {"max_tokens": 40}, "truncation": {"truncation": "right"}, "long": {"long": "cut"}}

pytestmark = pytest.mark.usefixtures("one_thread")


def pooled(bank, _):
    design = embank.PoolingSettings(design=embank.PoolingDesign((2,)), training=LOOP)
    return bank.fill_pooling(bank.learn_pooling("pool", moods(TEXTS), TEXTS, design).column)


def mapped(bank, work):
    bank.distill(TEXTS, work / "student", distillation(epochs=1), embank.DistilledFrom("tiny"))
    return bank.fill_student_space(work / "student")


def put(bank, _):
    return bank.put(TEXTS, np.ones((60, 4), np.float32), "mine/0/own@float32")


@pytest.fixture(params=[pooled, mapped, put])
def path(request, tmp_path):
    folder = save_tiny(tmp_path / "tiny")
    places = (f"tiny={folder}",)
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, columns=[COLUMN, "tiny/4/mean@float16"], encoder=str(folder))
    with embank.Bank.open(tmp_path / "bank", options(places=places)) as bank:
        request.param(bank, tmp_path)
    return tmp_path / "bank"


@pytest.mark.parametrize("reading", READS)
def test_a_bank_with_computed_columns_takes_new_texts_when_the_encoders_own_reading_is_given(path, reading):
    with embank.Bank.open(path, options(reading=embank.ReadingOptions(**READS[reading]))) as bank:
        assert bank.encode(NEW).new == len(NEW)


def test_a_bank_with_computed_columns_refuses_another_reading(path):
    with (
        embank.Bank.open(path, options(reading=embank.ReadingOptions(max_tokens=20))) as bank,
        pytest.raises(EncoderChangedError, match="reads differently"),
    ):
        bank.encode(NEW)


def test_vectors_that_are_no_encoders_are_refused_of_new_texts(path):
    with embank.Bank.open(path, options(reading=embank.ReadingOptions(max_tokens=40))) as bank:
        (column,) = [column.name for column in bank.summary().columns if not column.name.startswith("tiny/")]
        with pytest.raises(UsageError, match="made elsewhere"):
            bank.vectors(column, NEW)
        with pytest.raises(UsageError, match="made elsewhere"):
            bank.queries(NEW, column)
