"""Steps after pooling, as they are written in the name of a column."""

STEPS = ("unit", "centred", "pca", "dims")
"""What may follow pooling. `unit` scales a vector to length one; `centred` takes the mean of a sample away; `pca64` are
the coordinates along the 64 leading axes of a sample; `dims64` keeps the first 64 dimensions. What `centred` and `pca`
learn from their sample is kept with the column, as a codec's calibration is."""

LEARNED = ("centred", "pca")
"""Steps that learn from a sample, each at most once in a column."""

LIMITS = ("first", "segments")
"""What may follow `states` to limit their number: `first8` keeps the first 8 positions, `segments8` the means of 8
stretches of equal length."""


def limit_of(step: str) -> tuple[str, int]:
    """Take a step with a number apart: a limit of states, or a width; 0 if it has none.

    >>> limit_of("segments8"), limit_of("unit")
    (('segments', 8), ('unit', 0))
    """
    word = step.rstrip("0123456789")
    return word, int(step[len(word) :] or 0)
