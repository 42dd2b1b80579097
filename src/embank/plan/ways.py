"""The ways that are compared, in the order in which they are measured, and their operations."""

from collections.abc import Sequence

from embank.codecs import codec_names
from embank.encoders.architectures import ANATOMY
from embank.encoders.flops import Shape, embedding_flops, flops, layer_flops, training_flops
from embank.plan import Way
from embank.recipe import STATES, ColumnName

DEPTHS = (1 / 3, 1 / 2)
"""Shares of the depth that tails start from. The first measured best of all single ways on six public sets
(bench/RESULTS.md, "Plan. The advice, replayed"), so it is measured first."""

STUDENT = 2
"""Layers of a student."""


def frozen_ways(columns: dict[str, Sequence[ColumnName]]) -> list[Way]:
    """Heads on vectors.

    Args:
        columns: to read, by what they are called: a codec, or "own" for the bank's own.
    """
    return [
        Way(
            name=f"frozen/{name}",
            family="frozen",
            title="frozen heads on the bank's own columns" if name == "own" else f"frozen heads at {name}",
            columns=tuple(map(str, own)),
        )
        for name, own in columns.items()
    ]


def trained_ways(encoder: str, family: str, layers: int) -> list[Way]:
    """Tails at a third and at half of the depth, full fine-tuning, and a student, which needs it as its teacher.

    Args:
        encoder: its name in the bank.
        family: of the encoder; one that cannot be cut has no tails and no student.
        layers: how many it has.
    """
    whole = Way(name="finetune", family="finetune", title="full fine-tuning of an encoder per task")
    if family not in ANATOMY or ANATOMY[family].shared:
        return [whole]
    title = f"a distilled student of {STUDENT} layers per task"
    student = Way(name=f"student/{STUDENT}", family="student", title=title, layers=STUDENT)
    return [*(_tail(encoder, cut) for cut in cuts(layers)), whole, *([student] if layers > STUDENT else [])]


def cuts(layers: int) -> list[int]:
    """Layers that tails start from: a third and half of the depth.

    >>> cuts(6), cuts(12), cuts(4), cuts(2)
    ([2, 3], [4, 6], [1, 2], [1])
    """
    return sorted({max(1, round(layers * depth)) for depth in DEPTHS if layers > 1})


def codec_columns(default: Sequence[ColumnName], own: Sequence[ColumnName]) -> dict[str, Sequence[ColumnName]]:
    """Columns of frozen heads by codec, and the bank's own columns beside them if they are others.

    Args:
        default: the encoder's default columns.
        own: columns of vectors that the bank has of this encoder.
    """
    found: dict[str, Sequence[ColumnName]] = {
        codec: [ColumnName(one.encoder, one.layer, one.pooling, one.steps, codec) for one in default]
        for codec in codec_names()
    }
    if own and not any(set(own) <= set(columns) for columns in found.values()):
        found["own"] = own
    return found


def way_flops(way: Way, shape: Shape, tokens: float) -> float:
    """Operations that a task runs for itself on a text: a tail, a student or a whole encoder; heads left out."""
    if way.family == "student":
        return embedding_flops(shape, tokens) + way.layers * layer_flops(shape, tokens)
    return flops(shape, tokens, way.cut)


def way_training_flops(way: Way, shape: Shape, tokens: float) -> float:
    """Operations of a row and pass of training; the teacher of a student, trained before, left out."""
    return training_flops(way_flops(way, shape, tokens))


def _tail(encoder: str, cut: int) -> Way:
    column = str(ColumnName(encoder, cut, STATES))
    return Way(name=f"tail/{cut}/full", family="tail", title=f"a tail from layer {cut}", columns=(column,), cut=cut)
