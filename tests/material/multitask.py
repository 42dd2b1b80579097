"""Source tasks of every kind on texts that a tiny encoder can tell apart."""

import embank
from embank.encoders.load import locate, open_encoder
from embank.fit.source_tasks import Source
from embank.labels.kinds import APART
from embank.multitask import MultitaskSettings
from material.tails import moods, sizes, tags, texts_of, topics

TEXTS = texts_of(48)


def pairs(texts):
    """Each text beside another; whether both are of one mood."""
    others = texts[1:] + texts[:1]
    labels = ["same" if a == b else "other" for a, b in zip(moods(texts), moods(others), strict=True)]
    return list(zip(texts, others, strict=True)), labels


def sources(*names):
    """All kinds, or those that are named."""
    both, alike = pairs(TEXTS)
    every = [
        Source(name="mood", texts=TEXTS, labels=moods(TEXTS)),
        Source(name="topics", texts=TEXTS, labels=topics(TEXTS), kind="multi"),
        Source(name="size", texts=TEXTS, labels=sizes(TEXTS), kind="regression", weight=0.5),
        Source(name="tags", texts=[text.split() for text in TEXTS], labels=tags(TEXTS), kind="tagging"),
        Source(name="together", texts=both, labels=alike),
        Source(name="apart", texts=both, labels=alike, reads=APART),
    ]
    return [source for source in every if not names or source.name in names]


def opened(folder):
    """The encoder, for nobody else."""
    return open_encoder(locate(str(folder)), "torch", "float32", folder / "cache")


def settings(reads="default", temperature=2.0, most=None, **training):
    loop = embank.TrainingSettings(**{"epochs": 2, "batch": 8, "rate": 2e-3, **training})
    return MultitaskSettings(training=loop, temperature=temperature, most=most, reads=reads)
