"""Four bits a number: the stated error, saturation, two codes in a byte, and dimensions that do not vary."""

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.codecs.int4 import Int4


@settings(deadline=None)
@given(
    sample=arrays.arrays(np.float32, (20, 6), elements=st.floats(-1000, 1000, width=32)),
    share=arrays.arrays(np.float32, (8, 6), elements=st.floats(0, 1, width=32)),
)
def test_inside_the_calibrated_range_the_error_is_at_most_half_a_step(sample, share):
    codec = Int4.calibrate(sample)
    vectors = codec.offset + share * 15 * codec.scale
    error = np.abs(codec.decode(codec.encode(vectors)).astype(np.float64) - vectors)
    rounding = 4 * np.spacing(np.abs(codec.offset) + 15 * codec.scale)
    assert (error <= codec.scale / 2 + rounding).all()


def test_codes_round_half_to_even_and_two_share_a_byte():
    codec = Int4(np.ones(4, np.float32), np.zeros(4, np.float32))
    rows = codec.encode(np.array([[0.5, 1.5, 2.5, 14.6]], np.float32))
    assert rows.tolist() == [[0x20, 0xF2]]
    assert codec.raw(rows).tolist() == [[0, 2, 2, 15]]


def test_codes_saturate_and_never_wrap():
    codec = Int4(np.full(5, 0.5, np.float32), np.zeros(5, np.float32))
    vectors = np.array([[7.6, 8.0, 3.4e38, -0.3, -3.4e38]], np.float32)
    assert codec.raw(codec.encode(vectors)).tolist() == [[15, 15, 15, 0, 0]]


def test_a_few_freak_texts_do_not_widen_the_steps():
    sample = np.random.default_rng(0).normal(size=(3_000, 2)).astype(np.float32)
    sample[:10] = 1000
    assert (Int4.calibrate(sample).scale < 6 / 15).all()


def test_a_constant_is_exact_and_a_later_text_that_leaves_it_is_not_lost():
    sample = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    sample[:, 1] = 7
    codec = Int4.calibrate(sample)
    np.testing.assert_allclose(codec.scale[1], np.median(codec.scale[[0, 2]]), rtol=1e-6)
    np.testing.assert_allclose(codec.decode(codec.encode(sample))[:, 1], 7, rtol=1e-6)
    later = np.array([[0, 8, 0], [0, 6, 0]], np.float32)
    np.testing.assert_allclose(codec.decode(codec.encode(later)), later, atol=float(codec.scale.max()) / 2 + 1e-6)


def test_golden_bytes_of_int4():
    codec = Int4(np.array([1, 0.25, 0.5], np.float32), np.array([0, -1, 5], np.float32))
    vectors = np.array([[0, -1, 5], [15, 1, 6], [200.4, -99, 4]], np.float32)
    assert codec.encode(vectors).tobytes().hex() == "00008f020f00"
    assert codec.calibration_digest == "9169f48378609aee74ee244409e78563"
