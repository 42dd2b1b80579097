"""The columns that are filled where none are named, and what `own` stands for."""

from collections.abc import Sequence
from dataclasses import replace

from embank.encoders.opening import Located
from embank.errors import UsageError
from embank.recipe import ColumnName

DEFAULT_DEPTHS = (1 / 3, 2 / 3, 1.0)
"""Depths of the layers that default columns read (bench/RESULTS.md, default columns)."""


def default_columns(located: Located, codec: str) -> list[ColumnName]:
    """The columns that serve tasks best for their bytes, by measurement: the mean of a few layers."""
    layers = sorted({max(1, round(depth * located.layers)) for depth in DEFAULT_DEPTHS})
    return [ColumnName(located.name, layer, "mean", (), codec) for layer in layers]


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
    own = located.folder.own
    if column.pooling == "own" and column.layer != located.layers:
        raise UsageError(f"{column}: an encoder's own pooling belongs to its last layer, {located.layers}")
    if column.pooling != "own" or own is None or own.dense or len(own.modes) != 1 or located.folder.unsupported:
        return column
    steps = ("unit",) if own.unit or "unit" in column.steps else ()
    return replace(column, pooling=own.modes[0], steps=steps)
