"""A pool keeps all that may be among the k best, whatever the blocks, and drops what cannot be."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.index.topk import Pool


@settings(max_examples=settings.default.max_examples * 4 // 5, deadline=None)
@given(
    k=st.integers(1, 8),
    queries=st.integers(1, 3),
    texts=st.integers(0, 200),
    block=st.integers(1, 210),
    levels=st.integers(1, 40),
    slack=st.sampled_from([0.0, 0.01, 0.3]),
    seed=st.integers(0, 99),
    some=st.booleans(),
)
def test_what_may_be_among_the_best_stays(k, queries, texts, block, levels, slack, seed, some):
    random = np.random.default_rng(seed)
    true = random.integers(-levels, levels + 1, (texts, queries)) / levels
    told = (true + slack * random.uniform(-1, 1, true.shape)).astype(np.float32)
    pool = Pool(k, queries)
    for start in range(0, texts, block):
        part = slice(start, start + block)
        off = np.full(queries, slack + 1e-6, np.float32)
        if some and start:  # what reaches the bar is all that a pool has to be told of
            places, rows = np.nonzero(told[part] >= pool.bar - off)
            pool.add_some((rows, np.arange(texts)[part][places], told[part][places, rows]), off)
        else:
            pool.add(np.arange(texts)[part], told[part], off)
    rows, found = pool.best()
    assert (np.diff(rows) >= 0).all()
    for query in range(queries):
        own = found[rows == query].tolist()
        assert len(own) == len(set(own))
        order = np.sort(true[:, query])[::-1]
        bar = order[min(k, texts) - 1] if texts else 0
        assert set(np.flatnonzero(true[:, query] >= bar).tolist()) <= set(own)
        lowest = np.sort(told[:, query])[::-1][k - 1] if texts >= k else -np.inf
        assert (told[own, query] >= lowest - 2 * slack - 1e-5).all()
