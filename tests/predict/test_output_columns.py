"""Outputs of heads as columns: the same for one text as for many, and the outputs stay what they were."""

import numpy as np
import pytest

from embank.heads import Affine
from embank.heads.served import ServedHead
from embank.predict import LoadedTask, TaskOutputs
from embank.predict.output_columns import answer_columns

LABELS = {"single": ("a", "b", "c"), "multi": ("a", "b", "c"), "regression": ()}


def columns_of(kind, outputs, offsets=()):
    width = outputs.shape[1]
    head = ServedHead(
        kind=kind,
        labels=LABELS[kind],
        layers=(Affine(np.eye(width, dtype=np.float32), np.zeros(width, np.float32)),),
        temperature=2.0,
        offsets=offsets,
    )
    found = TaskOutputs(
        LoadedTask(name="task", head=head, columns=(), reads="together", record={}), outputs, np.arange(len(outputs))
    )
    return {name: column.to_pylist() for name, column in answer_columns(found, proba=True).items()}


@pytest.mark.parametrize("offsets", [(), (0.0, 1.0, 0.5)])
@pytest.mark.parametrize("kind", LABELS)
def test_one_text_alone_gets_what_it_gets_among_others(kind, offsets):
    if kind == "regression" and offsets:
        offsets = ()
    outputs = np.random.default_rng(0).normal(size=(20, max(1, len(LABELS[kind])))).astype(np.float32)
    together = columns_of(kind, outputs.copy(), offsets)
    for at in range(len(outputs)):
        alone = columns_of(kind, outputs[at : at + 1].copy(), offsets)
        for name, (value,) in alone.items():
            right = together[name][at]
            if isinstance(value, float) or (isinstance(value, list) and value and isinstance(value[0], float)):
                assert value == pytest.approx(right, abs=1e-6), name
            else:
                assert value == right, name


@pytest.mark.parametrize("texts", [0, 1, 2])
@pytest.mark.parametrize("kind", LABELS)
def test_outputs_stay_what_they_were(kind, texts):
    outputs = np.random.default_rng(0).normal(size=(texts, max(1, len(LABELS[kind])))).astype(np.float32)
    before = outputs.copy()
    columns_of(kind, outputs)
    np.testing.assert_array_equal(outputs, before)


def test_probabilities_of_classes_sum_to_one_and_hold_the_score():
    outputs = np.random.default_rng(0).normal(size=(1, 3)).astype(np.float32)
    found = columns_of("single", outputs)
    chances = {label: found[f"task_proba_{label}"][0] for label in LABELS["single"]}
    assert sum(chances.values()) == pytest.approx(1, abs=1e-6)
    assert found["task_score"][0] == pytest.approx(chances[found["task"][0]], abs=1e-6)
