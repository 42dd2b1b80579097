"""Float rows, and the quick way from float16 to float32."""

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embank.codecs.floats import Float16, Float32
from embank.codecs.halves import widened


def test_widening_is_exact_for_every_finite_float16():
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    assert len(finite) == 63488
    # Compared as bits, so that -0.0 is not 0.0.
    np.testing.assert_array_equal(widened(finite).view(np.uint32), finite.astype(np.float32).view(np.uint32))


def test_widening_keeps_the_shape_and_reads_strided_arrays():
    halves = np.arange(60, dtype=np.float16).reshape(5, 12)[::2, ::3]
    np.testing.assert_array_equal(widened(halves), halves.astype(np.float32))


def test_float32_gives_back_the_very_bits():
    vectors = np.array([[0.0, -0.0, 1e-45, 3.4e38]], np.float32)
    codec = Float32(4)
    assert codec.decode(codec.encode(vectors)).tobytes() == vectors.tobytes()


@given(arrays.arrays(np.float32, (3, 5), elements=st.floats(-65504, 65504, width=32)))
def test_float16_is_off_by_at_most_half_a_unit_in_the_last_place(vectors):
    codec = Float16(5)
    allowed = np.maximum(np.abs(vectors) * 2.0**-11, 2.0**-25)
    assert (np.abs(codec.decode(codec.encode(vectors)) - vectors) <= allowed).all()


def test_float16_clips_what_it_cannot_reach():
    codec = Float16(4)
    decoded = codec.decode(codec.encode(np.array([[65519, 65520, 1e30, -1e30]], np.float32)))
    assert decoded.tolist() == [[65504, 65504, 65504, -65504]]


def test_golden_bytes_of_floats():
    vectors = np.array([[1.0, -2.5, 1e-7]], np.float32)
    assert Float32(3).encode(vectors).tobytes().hex() == "0000803f000020c095bfd633"
    assert Float16(3).encode(vectors).tobytes().hex() == "003c00c10200"
