"""Union-find: every pair joins two groups, and a group is known by its lowest member."""

from typing import final

import numpy as np
from jaxtyping import Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from embank.arrays import TextIds


@final
class Joining:
    """Which group each of `n` places is in; memory is one number a place, however many pairs are joined.

    >>> groups = Joining(np.arange(4))
    >>> groups.join(np.array([3, 1]), np.array([1, 2]))
    >>> groups.lowest(np.arange(4)).tolist()
    [0, 1, 1, 1]
    """

    def __init__(self, lowest: TextIds) -> None:
        """Begin with groups: of each place the lowest place in its group."""
        self._towards = lowest.copy()

    def lowest(self, places: Int64[np.ndarray, " places"]) -> Int64[np.ndarray, " places"]:
        """Of each place the lowest place in its group."""
        found: TextIds = self._towards[places]
        while not np.array_equal(further := self._towards[found], found):
            found = further
        self._towards[places] = found
        return found

    def join(self, left: Int64[np.ndarray, " pairs"], right: Int64[np.ndarray, " pairs"]) -> None:
        """Join the groups of each pair of places."""
        one, other = self.lowest(left), self.lowest(right)
        apart = one != other
        if not apart.any():
            return
        roots, which = np.unique(np.concatenate([one[apart], other[apart]]), return_inverse=True)
        pairs = which.reshape(2, -1)
        graph = coo_array((np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])), shape=(len(roots), len(roots)))
        n_groups, group = connected_components(graph, directed=False)
        first = np.full(n_groups, np.iinfo(np.int64).max, np.int64)
        np.minimum.at(first, group, roots)
        self._towards[roots] = first[group]
