"""Source tasks of every kind on texts that a tiny encoder can tell apart."""

import embank
from embank.encoders.load import locate, open_encoder
from embank.labels.kinds import APART
from embank.multitask import Source, TrunkSettings
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
        Source("mood", TEXTS, moods(TEXTS)),
        Source("topics", TEXTS, topics(TEXTS), "multi"),
        Source("size", TEXTS, sizes(TEXTS), "regression", weight=0.5),
        Source("tags", [text.split() for text in TEXTS], tags(TEXTS), "tagging"),
        Source("together", both, alike),
        Source("apart", both, alike, reads=APART),
    ]
    return [source for source in every if not names or source.name in names]


def opened(folder):
    """The encoder, for nobody else."""
    return open_encoder(locate(str(folder)), "torch", "float32", folder / "cache")


def settings(served="float32", reads="default", temperature=2.0, most=None, **training):
    loop = embank.TrainingSettings(**{"epochs": 2, "batch": 8, "rate": 2e-3, **training})
    return TrunkSettings(loop, temperature, most, served=served, reads=reads)
