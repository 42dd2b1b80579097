"""Numbers with their nouns, as messages and reports have them."""


def counted(number: int, word: str) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(12345, "row")
    ('1 row', '12,345 rows')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"
