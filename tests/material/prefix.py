"""A prefix folder on a tiny encoder, with prefixes at random: what banks do with them does not ask how good they are."""

import numpy as np

from embank.encoders.load import locate
from embank.encoders.prefix.folder import EncoderReference, create_prefix_folder, put_prefix
from material.tails import LAYERS, WIDTH


def arrays(seed, from_layer=0, length=3):
    random = np.random.default_rng(seed)
    shape = (LAYERS - from_layer, length, WIDTH)
    return tuple(random.standard_normal(shape).astype(np.float32) for _ in range(2))


def make_trunk(path, folder, names=("mood", "size"), combine="apart", from_layer=0):
    """A trunk with these prefixes, each of its own length."""
    located = locate(str(folder))
    reading = located.reading
    reference = EncoderReference(
        encoder=str(folder),
        weights=reading.weights,
        tokenizer=reading.tokenizer,
        layers=LAYERS,
        width=WIDTH,
        combine=combine,
    )
    create_prefix_folder(path, reference)
    for seed, name in enumerate(names):
        put_prefix(path, name, arrays(seed, from_layer, 2 + seed), from_layer, {})
    return path
