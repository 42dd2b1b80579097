"""How many cores this process may use: fewer than the machine has, where it is bound to some or has a quota."""

import joblib


def cores() -> int:
    """Cores that threads can run on at once; affinity and a container's quota are accounted for.

    >>> cores() >= 1
    True
    """
    return max(1, int(joblib.cpu_count()))
