"""One bit a dimension: where the bits go, and how they are laid out."""

import numpy as np
import pytest
from scipy.stats import norm

from embank.codecs.allotment import DISTORTION, MOST_BITS, STEP, allotted
from embank.codecs.binary import Binary


def low_rank(texts: int, width: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(width, width)) * np.geomspace(1, 0.01, width)[:, None]
    return (random.normal(size=(texts, width)) @ mixing).astype(np.float32)


@pytest.mark.parametrize("width", [1, 2, 12, 64])
def test_the_budget_is_spent_to_the_bit(width):
    codec = Binary.calibrate(low_rank(100, width))
    assert codec.bits.sum() == width
    assert codec.cells == -(-width // 8)


@pytest.mark.parametrize("bits", range(1, MOST_BITS + 1))
def test_the_table_says_what_the_best_uniform_quantiser_leaves_of_a_normal_variable(bits):
    numbers = norm.ppf((np.arange(400_000) + 0.5) / 400_000)
    half = 2 ** (bits - 1)

    def left(step: float) -> float:
        cells = np.clip(np.floor(numbers / step), -half, half - 1)
        return float(np.square(numbers - (cells + 0.5) * step).mean())

    assert left(STEP[bits]) == pytest.approx(DISTORTION[bits], rel=0.01)
    assert left(STEP[bits]) < min(left(STEP[bits] * 0.95), left(STEP[bits] * 1.05))


def test_stronger_axes_get_more_bits():
    bits = allotted(np.array([100.0, 10.0, 1.0, 0.01]), 4)
    assert bits.tolist() == [3, 1, 0, 0]


def test_equal_axes_get_equal_bits():
    assert allotted(np.ones(10), 10).tolist() == [1] * 10


def test_no_axis_gets_more_bits_than_the_table_knows():
    assert allotted(np.array([1e9, 1e-9, 1e-9]), 9).tolist() == [MOST_BITS, 2, 1]


def test_greedy_bits_are_as_good_as_any():
    variances = np.array([5.0, 2.0, 0.6])
    found = (variances * DISTORTION[allotted(variances, 4)]).sum()
    shares = [(a, b, 4 - a - b) for a in range(5) for b in range(5 - a)]
    assert found == pytest.approx(min((variances * DISTORTION[list(share)]).sum() for share in shares))


def test_it_keeps_more_than_signs_do():
    sample, later = low_rank(2000, 48, seed=1), low_rank(500, 48, seed=2)
    codec = Binary.calibrate(sample)
    centre = sample.mean(axis=0)
    deviation = np.abs(sample - centre).mean(axis=0)
    signs = np.where(later > centre, centre + deviation, centre - deviation)
    left = np.square((codec.decode(codec.encode(later)) - later) / sample.std(axis=0)).mean()
    assert left < 0.5 * np.square((signs - later) / sample.std(axis=0)).mean()


def test_a_sample_smaller_than_the_width_still_serves_later_texts():
    codec = Binary.calibrate(low_rank(30, 96, seed=1))
    later = low_rank(500, 96, seed=2)
    left = np.square(codec.decode(codec.encode(later)) - later).sum()
    assert left < 0.6 * np.square(later - later.mean(axis=0)).sum()


def test_the_rotation_adds_whole_numbers_without_rounding():
    codec = Binary.calibrate(low_rank(100, 64))
    extreme = np.full((1, 64), 2.0**20)
    exact = [sum(int(a) * 2**20 for a in axis) for axis in codec.axes.T]
    assert (extreme @ codec.axes.astype(np.float64)).tolist() == [exact]


def test_the_last_byte_is_filled_with_zeros():
    vectors = low_rank(200, 13)
    rows = Binary.calibrate(vectors).encode(vectors)
    assert (rows[:, -1] & 0b111 == 0).all()
    assert rows[:, -1].any()


def test_golden_bytes_of_binary():
    codec = Binary(
        centre=np.array([1, -1, 0], np.float32),
        scale=np.array([1, 2, 1], np.float32),
        axes=np.array([[2**20, 0], [0, 2**20], [0, 0]], np.int32),
        step=np.array([1, 1.5], np.float32),
        bits=np.array([2, 1], np.uint8),
    )
    rows = codec.encode(np.array([[-9, -9, 0], [0.5, 9, 9], [1.5, -9, 0], [9, 9, 0]], np.float32))
    # Two bits of the first axis, one of the second, five zeros.
    assert [f"{byte:08b}" for byte in rows[:, 0]] == ["00000000", "01100000", "10000000", "11100000"]
    assert codec.decode(rows).tolist() == [[-0.5, -2.5, 0], [0.5, 0.5, 0], [1.5, -2.5, 0], [2.5, 0.5, 0]]
    assert codec.calibration_digest == "141f05bf6994678d070fcd01f99b5e18"


def test_a_row_decodes_to_the_same_bits_alone_and_in_a_crowd():
    sample = np.random.default_rng(7).standard_normal((700, 96)).astype(np.float32) * 3 + 1
    codec = Binary.calibrate(sample)
    rows = codec.encode(sample)
    whole = codec.decode(rows)
    assert whole.dtype == np.float32
    for size in (1, 2, 7, 64, 699):
        np.testing.assert_array_equal(codec.decode(rows[-size:]), whole[-size:])
    np.testing.assert_allclose(whole, codec.raw(rows) @ codec._per_bit + codec._base, atol=1e-5)
