"""Which precision torch trains and predicts in: bfloat16 where its products are measured to be faster, else float32.

That a processor has bfloat16 does not make it the faster one: some multiply it at twice the speed of float32, others,
whose matrix units a virtual machine cannot use, at half of it (bench/RESULTS.md).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Literal

import torch

Dtype = Literal["float32", "bfloat16"]

_CLEARLY = 1.1
"""So many times faster has bfloat16 to be: autocast spends time on casting as well."""

_ROUNDS = 5
_ROWS, _INPUTS, _OUTPUTS = 1024, 384, 1536

_SETTLED: ContextVar[Dtype | None] = ContextVar("settled", default=None)
"""What the training in progress began in. It belongs to a thread."""


@contextmanager
def precision() -> Iterator[None]:
    """Compute in the faster precision; weights and sums stay float32."""
    if (_SETTLED.get() or faster()) == "float32":
        yield
        return
    with torch.autocast("cuda" if torch.cuda.is_available() else "cpu", dtype=torch.bfloat16):
        yield


@contextmanager
def settled(dtype: Dtype) -> Iterator[None]:
    """Within this block `precision` is this one: a training that goes on is to go on as it began."""
    before = _SETTLED.set(dtype)
    try:
        yield
    finally:
        _SETTLED.reset(before)


@cache
def faster() -> Dtype:
    """The faster precision on this machine; measured once per process, in some tens of milliseconds."""
    if torch.cuda.is_available():
        return "bfloat16"
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # noqa: SLF001 - torch has no public question for it
        return "float32"
    wide, narrow = (_product(dtype) for dtype in (torch.float32, torch.bfloat16))
    return "bfloat16" if wide > _CLEARLY * narrow else "float32"


def _product(dtype: torch.dtype) -> float:
    """Seconds of a product such as layers are made of, the best of some."""
    rows, weights = (torch.ones(size, _INPUTS, dtype=dtype) for size in (_ROWS, _OUTPUTS))
    seconds = []
    for _ in range(_ROUNDS + 1):  # kernels are compiled in the first
        began = time.perf_counter()
        torch.nn.functional.linear(rows, weights)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])
