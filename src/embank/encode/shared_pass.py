"""Which encoders run in one pass: those that are one model under different prefixes share tokens, batch and layers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from embank.arrays import Vectors
from embank.encode.columns import readout_of
from embank.encoders import Batch, Encoder, EncoderFacts, HasVariants, Readout, Tokens
from embank.recipe import ColumnName, Reading
from embank.texts import Text

_LEAST_BUDGET = 256

Pass = tuple[Encoder, dict[ColumnName, Readout], tuple[str, ...]]
"""What runs, what each column takes from it, and the names of the encoders that it stands for."""


def passes_of(encoders: Mapping[str, Encoder], asked: Mapping[str, Sequence[ColumnName]]) -> list[Pass]:
    """The fewest passes that fill columns.

    Args:
        encoders: open ones, by name.
        asked: columns of each.
    """
    groups: dict[int, list[str]] = {}
    for name, encoder in encoders.items():
        shared = encoder.variants if isinstance(encoder, HasVariants) and encoder.variant else encoder
        groups.setdefault(id(shared), []).append(name)
    found: list[Pass] = []
    for names in groups.values():
        first = encoders[names[0]]
        if len(names) == 1:
            found.append((first, {column: readout_of(column) for column in asked[names[0]]}, tuple(names)))
            continue
        readouts = {column: replace(readout_of(column), variant=name) for name in names for column in asked[name]}
        found.append((Chorus(first, len(names)), readouts, tuple(names)))
    return found


class Chorus:
    """One of several encoders that share a model, asked for readouts of all: a batch is repeated for each of them."""

    def __init__(self, first: Encoder, count: int) -> None:
        """Stand for `count` encoders; batches are made smaller by as much."""
        self._first = first
        self.budget = max(_LEAST_BUDGET, first.budget // count)

    @property
    def facts(self) -> EncoderFacts:
        """Of the first."""
        return self._first.facts

    @property
    def reading(self) -> Reading:
        """Of the first: the others differ from it by their prefix."""
        return self._first.reading

    @property
    def padding(self) -> int:
        """The token number that fills a row up."""
        return self._first.padding

    def width_of(self, readout: Readout) -> int:
        """Dimensions of the vectors of a readout."""
        return self._first.width_of(readout)

    def tokens(self, texts: Sequence[Text]) -> Tokens:
        """Turn texts into token rows."""
        return self._first.tokens(texts)

    def vectors(self, batch: Batch, readouts: Sequence[Readout]) -> list[Vectors]:
        """One pass over a batch; each readout names its variant."""
        return self._first.vectors(batch, readouts)
