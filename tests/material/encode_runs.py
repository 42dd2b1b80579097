"""Runs of encoding with fake encoders."""

import numpy as np

from embank.codecs import codec_names
from embank.encode import TextBlock
from embank.encode.options import EncodeSettings
from embank.encode.run import EncodeRun
from embank.encoders import Readout
from embank.recipe import ColumnName
from embank.texts import text_key

COLUMN = "fake/2/mean@float32"
EVERY = [f"fake/2/mean@{codec}" for codec in codec_names()]
TEXTS = [f"message {number} says that the pump is {'cold ' * (number % 7)}broken" for number in range(40)]


def run(store, encoders, columns, blocks, stop=lambda: False, watch=lambda _: None, **settings):
    """One run; `encoders` is one encoder, or several by name."""
    by_name = encoders if isinstance(encoders, dict) else {encoders.facts.name: encoders}
    names = [ColumnName.parse(column) for column in columns]
    given = (
        blocks if not isinstance(blocks, list) or not blocks or isinstance(blocks[0], TextBlock) else [block(blocks)]
    )
    with store.writer() as writer:
        opened = EncodeRun(store, writer, names, lambda name, *_: by_name[name], EncodeSettings(**settings))
        return opened.run(given, watch, stop)


def block(texts, start=0, source="file", ids=None):
    return TextBlock(source, start, texts, ids=ids)


def stored(store, column, texts):
    numbers = store.catalogue.lookup([text_key(text) for text in texts])
    return store.reader(column).gather(numbers)


def vectors_by(encoder, texts, layer=2):
    return np.stack([encoder.vector_of(text, Readout(layer, "mean")) for text in texts])
