"""A tiny encoder, its rows for every kind of task, and one quick distillation of them."""

from pathlib import Path

import embank
from embank.encoders.load import locate, open_encoder
from embank.fit.finetune import FineTuneData
from embank.labels.read import read_labels
from material.tails import moods, questions, sizes, tags, texts_of, topics

LOOP = embank.TrainingSettings(epochs=2, batch=16, rate=3e-3)
KINDS = {"single": moods, "multi": topics, "regression": sizes, "tagging": tags, "span": None}


def opened(folder):
    return open_encoder(locate(str(folder)), "torch", "float32", Path(folder))


def rows(kind, count=60, tested=20):
    """Training and test rows of a kind."""
    return FineTuneData(*_labelled(kind, texts_of(count)), *_labelled(kind, texts_of(tested, count)))


def _labelled(kind, texts):
    texts, labels = questions(texts) if kind == "span" else (texts, KINDS[kind](texts))
    return texts, read_labels(labels, kind, texts)
