"""Words of messages and reports: numbers with their nouns, sizes, names of measures."""

from collections.abc import Sequence

_KILO = 1000

MEASURES = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "exact_match": "exact match",
    "r2": "R2",
    "rmse": "RMSE",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "entity_f1": "entity F1",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1 of words",
}
"""What measures are called where people read them."""

CHOICES = {"leans towards rare labels": "thresholds adjusted for rare labels"}
"""What choices of a fit are called where people read them; others go by the name that the bank has."""


def counted(number: int, word: str) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(12345, "row")
    ('1 row', '12,345 rows')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Bytes for people.

    >>> size(999), size(1_234_567)
    ('999 B', '1.23 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if number < _KILO:
            return f"{number:.0f} B" if unit == "B" else f"{number:.3g} {unit}"
        number /= _KILO
    return f"{number:.3g} TB"


def listed(names: Sequence[str], most: int = 2) -> str:
    """Names on one line, the first of many.

    >>> listed(["a", "b", "c", "d"]), listed(["a", "b"])
    ('a, b and 2 more', 'a, b')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
