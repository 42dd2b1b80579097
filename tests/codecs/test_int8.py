"""One byte a number: the stated error, saturation, and dimensions that do not vary."""

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.codecs.int8 import Int8


@settings(deadline=None)
@given(
    sample=arrays.arrays(np.float32, (20, 6), elements=st.floats(-1000, 1000, width=32)),
    share=arrays.arrays(np.float32, (8, 6), elements=st.floats(-1, 1, width=32)),
)
def test_inside_the_calibrated_range_the_error_is_at_most_half_a_step(sample, share):
    codec = Int8.calibrate(sample)
    vectors = codec.offset + share * 127 * codec.scale
    error = np.abs(codec.decode(codec.encode(vectors)).astype(np.float64) - vectors)
    rounding = 4 * np.spacing(np.abs(codec.offset) + 127 * codec.scale)
    assert (error <= codec.scale / 2 + rounding).all()


def test_codes_round_half_to_even():
    codec = Int8(np.ones(6, np.float32), np.zeros(6, np.float32))
    assert codec.encode(np.array([[0.5, 1.5, 2.5, -0.5, -1.5, -2.5]], np.float32)).tolist() == [[0, 2, 2, 0, -2, -2]]


def test_codes_saturate_and_never_wrap():
    codec = Int8(np.full(5, 0.5, np.float32), np.zeros(5, np.float32))
    vectors = np.array([[63.4, 64.0, 1e9, 3.4e38, -3.4e38]], np.float32)
    assert codec.encode(vectors).tolist() == [[127, 127, 127, 127, -127]]


def test_one_freak_text_does_not_widen_the_steps_of_a_large_sample():
    sample = np.random.default_rng(0).normal(size=(30_000, 2)).astype(np.float32)
    sample[17] = 1000
    assert (Int8.calibrate(sample).scale < 10 / 254).all()


def test_a_later_text_that_leaves_a_constant_is_not_lost():
    sample = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    sample[:, 1] = 7
    codec = Int8.calibrate(sample)
    assert codec.scale[1] == np.median(codec.scale[[0, 2]])
    later = np.array([[0, 8, 0]], np.float32)
    np.testing.assert_allclose(codec.decode(codec.encode(later)), later, atol=float(codec.scale.max()) / 2 + 1e-6)


def test_golden_bytes_of_int8():
    codec = Int8(np.array([1, 0.25, 0.5], np.float32), np.array([127, 0, 5], np.float32))
    vectors = np.array([[0, 0, 5], [127, 1, 6], [200.4, -99, 4]], np.float32)
    assert codec.encode(vectors).tobytes().hex() == "8100000004024981fe"
    assert codec.calibration_digest == "b69b648aecebb4a03637a28fd97165fa"
