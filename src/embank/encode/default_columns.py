"""The columns that are filled if none are named, and what `own` stands for."""

from collections.abc import Sequence
from dataclasses import replace

from embank.encoders.architectures import ANATOMY
from embank.encoders.load import Located
from embank.errors import UsageError
from embank.recipe import ColumnName

DEFAULTS = ((1 / 3, "mean"), (1 / 2, "max"), (2 / 3, "mean"), (1.0, "mean"))
"""Depth and pooling of the default columns: of the sets of four that were compared, the best by cross-validation on
training rows (bench/default_columns.py, bench/RESULTS.md)."""


def default_columns(located: Located, codec: str) -> list[ColumnName]:
    """The columns that serve tasks best for their bytes, by measurement: means of three layers and a maximum."""
    chosen = dict.fromkeys((max(1, round(depth * located.layers)), pooling) for depth, pooling in DEFAULTS)
    return [ColumnName(located.name, layer, pooling, (), codec) for layer, pooling in chosen]


def resolve(located: Located, columns: Sequence[ColumnName]) -> list[ColumnName]:
    """Write `own` out as what it stands for where that has a plain name, and refuse layers that are not there.

    Raises:
        UsageError: a layer that the encoder does not have.
    """
    return list(dict.fromkeys(_plain(located, column) for column in columns))


def _plain(located: Located, column: ColumnName) -> ColumnName:
    if column.layer > located.layers:
        message = f"{column} asks for layer {column.layer}; {located.name} has layers 0 to {located.layers}"
        raise UsageError(message)
    if column.is_states:
        _check_states(located, column)
    own = located.folder.own
    if column.pooling == "own" and column.layer != located.layers:
        raise UsageError(f"{column}: an encoder's own pooling belongs to its last layer, {located.layers}")
    if column.pooling != "own" or own is None or located.folder.unsupported:
        return column
    steps = (*(("unit",) if own.unit or column.taken else ()), *column.later)
    if own.dense or len(own.modes) != 1:
        return replace(column, steps=steps)
    return replace(column, pooling=own.modes[0], steps=steps)


def _check_states(located: Located, column: ColumnName) -> None:
    if located.folder.family not in ANATOMY:
        raise UsageError(
            f"{column}: {located.name} is of a family ({located.folder.family}) that cannot be cut at a layer; its "
            "pooled vectors work, its states and tails do not"
        )
    if located.reading.long != "cut":
        raise UsageError(
            f"{column}: states are kept of texts in one piece, and {located.name} reads long ones in windows; give it "
            "another name with --long cut for its states, as in --encoder NAME=FOLDER"
        )
