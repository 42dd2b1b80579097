"""The ways that are compared: what they read, where they cut, what they train."""

from collections.abc import Sequence

from embank.codecs import codec_names
from embank.encoders.architectures import ANATOMY
from embank.models.tail_design import cuts_of
from embank.planning import Way
from embank.recipe import STATES, ColumnName

LIMITS = ("first8", "segments8")
"""How states are limited."""

STUDENT = 2
"""Layers of a student."""


def frozen_ways(columns: dict[str, Sequence[ColumnName]]) -> list[Way]:
    """Heads on vectors.

    Args:
        columns: to read, by what they are called: a precision, or "own" for the bank's own.
    """
    return [
        Way(
            f"frozen/{name}",
            "frozen",
            "frozen heads on the bank's own columns" if name == "own" else f"frozen heads at {name}",
            tuple(map(str, own)),
        )
        for name, own in columns.items()
    ]


def trained_ways(encoder: str, family: str, layers: int) -> list[Way]:
    """Tails, on all states and on few, students and full fine-tuning.

    Args:
        encoder: its name in the bank.
        family: of the encoder; what cannot be cut has no tails and no students.
        layers: how many it has.
    """
    whole = Way("finetune", "finetune", "full fine-tuning for each task")
    if family not in ANATOMY:
        return [whole]
    shared = ANATOMY[family].shared
    cuts = cuts_of(layers)
    half = cuts[len(cuts) // 2]
    tails = [] if shared else [_tail(encoder, cut, "full") for cut in cuts]
    adapters = [] if shared else [_tail(encoder, half, "adapters")]
    limited = [] if shared else [_limited(encoder, cuts[-1], limit) for limit in LIMITS]
    student = Way(f"student/{STUDENT}", "student", f"a student of {STUDENT} layers for each task", layers=STUDENT)
    return [*tails, *adapters, *limited, *([] if shared or layers <= STUDENT else [student]), whole]


def precisions(default: Sequence[ColumnName], own: Sequence[ColumnName]) -> dict[str, Sequence[ColumnName]]:
    """Columns of frozen heads, by precision; the bank's own ones beside them where they are others.

    Args:
        default: the encoder's default columns.
        own: those of vectors that the bank has of this encoder.
    """
    found: dict[str, Sequence[ColumnName]] = {
        codec: [ColumnName(one.encoder, one.layer, one.pooling, one.steps, codec) for one in default]
        for codec in codec_names()
    }
    if own and not any(set(own) <= set(columns) for columns in found.values()):
        found["own"] = own
    return found


def _tail(encoder: str, cut: int, method: str) -> Way:
    title = f"tail from layer {cut}" if method == "full" else f"adapters in a tail from layer {cut}"
    column = str(ColumnName(encoder, cut, STATES))
    return Way(f"tail/{cut}/{method}", "tail", title, (column,), cut, "full" if method == "full" else "adapters")


def _limited(encoder: str, cut: int, limit: str) -> Way:
    what = f"the first {limit.removeprefix('first')} states" if limit.startswith("first") else f"{limit[8:]} segments"
    column = str(ColumnName(encoder, cut, STATES, (limit,)))
    return Way(f"limited/{cut}/{limit}", "limited", f"{what} and a tail from layer {cut}", (column,), cut)
