"""Which encoders run in one pass: those that are one model under different prefixes share tokens, batch and layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from embank.encode.columns import readout_of
from embank.encoders import Encoder, HasVariants, Readout
from embank.recipe import ColumnName


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass over texts.

    Attributes:
        encoder: runs.
        readouts: what each column takes from it.
        names: of the encoders whose columns it fills.
    """

    encoder: Encoder
    readouts: Mapping[ColumnName, Readout]
    names: Sequence[str]


def passes_of(encoders: Mapping[str, Encoder], columns: Mapping[str, Sequence[ColumnName]]) -> list[Pass]:
    """The fewest passes that fill columns.

    Args:
        encoders: open ones, by name.
        columns: of each.
    """
    groups: dict[int, list[str]] = {}
    for name, encoder in encoders.items():
        shared = encoder.variants if isinstance(encoder, HasVariants) and encoder.variant else encoder
        groups.setdefault(id(shared), []).append(name)
    found: list[Pass] = []
    for names in groups.values():
        readouts = {column: readout_of(column) for name in names for column in columns[name]}
        if len(names) > 1:
            readouts = {column: replace(readout, variant=column.encoder) for column, readout in readouts.items()}
        found.append(Pass(encoders[names[0]], readouts, names))
    return found
