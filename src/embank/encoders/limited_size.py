"""Limited-size states: fewer rows than tokens, so that the size of a text on disk is bounded, whatever its length."""

from collections.abc import Sequence

import numpy as np

from embank.arrays import Vectors
from embank.codecs.steps import limit_of


def limited(states: Vectors, steps: Sequence[str]) -> Vectors:
    """Keep the first m positions of a text, or the means of m stretches of (nearly) equal length.

    The papers compare fixed- and limited-size representations (2004.14287); how they limit them is not known.

    >>> limited(np.array([[0.0], [2.0], [5.0]], np.float32), ["segments2"]).tolist()
    [[1.0], [5.0]]

    Args:
        states: `[tokens, width]` of one text.
        steps: those of the column's name, `first<m>` or `segments<m>`; none leaves all.

    Returns:
        `[at most m, width]`; a text of fewer tokens keeps what it has.
    """
    for step in steps:
        word, most = limit_of(step)
        if word == "first" or len(states) <= most:
            states = states[:most].copy()  # a view would keep the whole batch in memory
        else:
            begins = -(-np.arange(most) * len(states) // most)
            lengths = np.diff([*begins, len(states)])
            states = (np.add.reduceat(states, begins, axis=0) / lengths[:, None]).astype(np.float32)
    return states
