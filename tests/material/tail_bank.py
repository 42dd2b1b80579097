"""Texts, labels and tasks of the banks that tails are tested on."""

import numpy as np
from safetensors.numpy import load_file

import embank
from material.tails import (
    moods,
    options,
    questions,
    sizes,
    tags,
    texts_of,
    topics,
)

TEXTS = texts_of(72)
IDS = [f"t{number}" for number in range(len(TEXTS))]
PAIRS, ANSWERS = questions(TEXTS)
TASKS = {"mood": "single", "topics": "multi", "size": "regression", "words": "tagging", "where": "span"}
KEPT = embank.EncodeSettings(keep_text=True)


def labelled(kind, count=72):
    """Labels of a kind, and the texts that they belong to."""
    texts = TEXTS[:count]
    if kind == "span":
        return ANSWERS[:count], PAIRS[:count]
    return {"single": moods, "multi": topics, "regression": sizes, "tagging": tags}[kind](texts), texts


def reopened(bank, **given):
    bank.close()
    return embank.Bank.open(bank.path, options(**given))


def rows(bank, column):
    return {one.name: one.rows for one in bank.summary().columns}.get(column)


def weights(bank, task="mood"):
    """The files of a task's weights."""
    (found,) = (bank.path / "tasks").glob(f"{task}*/tail.safetensors")
    return load_file(found)


def equal(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(array, other[name]) for name, array in one.items())
