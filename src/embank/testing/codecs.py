"""The contract of codecs as tests: for those who write one, and for Embank's own.

In a test module of yours, after your codec has registered itself:

```python
import pytest
from embank.testing.codecs import CodecContract

@pytest.mark.parametrize("name", ["mine"])
class TestMine(CodecContract):
    pass
```

Needs pytest and hypothesis.
"""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.arrays import Vectors
from embank.codecs import Codec, calibrate, restore
from embank.errors import UsageError

WIDTH = 21
"""Of most vectors here: no multiple of 8, so that rows of bits end within a byte."""


class CodecContract:
    """Tests that every codec passes; each takes the codec's `name`."""

    def test_rows_have_the_stated_shape_dtype_and_bytes(self, name: str) -> None:
        codec = _made(name)
        rows = codec.encode(_correlated(50))
        assert (codec.name, codec.width) == (name, WIDTH)
        assert rows.shape == (50, codec.cells)
        assert rows.dtype == codec.dtype
        assert rows.nbytes == 50 * codec.row_bytes

    def test_what_is_decoded_is_float32_of_the_vectors_shape(self, name: str) -> None:
        codec = _made(name)
        rows = codec.encode(_correlated(50))
        for vectors in (codec.decode(rows), codec.raw(rows)):
            assert vectors.shape == (50, WIDTH)
            assert vectors.dtype == np.float32

    def test_what_is_decoded_is_closer_to_the_vectors_than_their_mean_is(self, name: str) -> None:
        vectors = _correlated(400)
        codec = calibrate(name, vectors)
        left = np.square(codec.decode(codec.encode(vectors)) - vectors).sum()
        assert left < 0.2 * np.square(vectors - vectors.mean(axis=0)).sum()

    @pytest.mark.parametrize("width", [1, 7, 8, 9, 384])
    def test_any_width_works(self, name: str, width: int) -> None:
        vectors = _correlated(60, width)
        codec = calibrate(name, vectors)
        assert codec.decode(codec.encode(vectors)).shape == (60, width)

    @pytest.mark.parametrize("width", [WIDTH, 384])
    def test_a_text_alone_has_the_bytes_it_has_in_a_crowd(self, name: str, width: int) -> None:
        codec = _made(name, width)
        vectors = _correlated(200, width)
        together = codec.encode(vectors)
        for text in range(200):
            assert codec.encode(vectors[text : text + 1]).tobytes() == together[text].tobytes()

    @settings(max_examples=20, deadline=None)
    @given(order=st.permutations(range(40)))
    def test_order_does_not_change_bytes(self, name: str, order: list[int]) -> None:
        codec = _made(name)
        vectors = _correlated(40)
        np.testing.assert_array_equal(codec.encode(vectors[order]), codec.encode(vectors)[order])

    def test_more_texts_than_a_block_have_the_same_bytes(self, name: str) -> None:
        codec = _made(name)
        vectors = _correlated(9000)
        halves = np.concatenate([codec.encode(vectors[:5000]), codec.encode(vectors[5000:])])
        np.testing.assert_array_equal(codec.encode(vectors), halves)

    @pytest.mark.parametrize("layout", ["columns first", "every other row", "read only"])
    def test_the_layout_in_memory_does_not_matter(self, name: str, layout: str) -> None:
        codec = _made(name)
        vectors = _correlated(40)
        other = {
            "columns first": np.asfortranarray(vectors),
            "every other row": np.repeat(vectors, 2, axis=0)[::2],
            "read only": vectors.copy(),
        }[layout]
        other.setflags(write=False)
        rows = codec.encode(vectors)
        np.testing.assert_array_equal(codec.encode(other), rows)
        np.testing.assert_array_equal(codec.decode(np.repeat(rows, 2, axis=0)[::2]), codec.decode(rows))

    def test_folded_weights_on_raw_rows_give_what_weights_on_decoded_rows_give(self, name: str) -> None:
        codec = _made(name)
        rows = codec.encode(_correlated(50))
        random = np.random.default_rng(2)
        weights, bias = random.normal(size=(WIDTH, 5)).astype(np.float32), random.normal(size=5).astype(np.float32)
        folded, offset = codec.fold(weights, bias)
        assert {folded.dtype, offset.dtype} == {np.dtype(np.float32)}
        np.testing.assert_allclose(
            codec.raw(rows) @ folded + offset, codec.decode(rows) @ weights + bias, rtol=1e-4, atol=1e-3
        )

    def test_neither_reading_nor_writing_changes_its_input(self, name: str) -> None:
        codec = _made(name)
        vectors = _correlated(10)
        before = vectors.copy()
        rows = codec.encode(vectors)
        np.testing.assert_array_equal(vectors, before)
        written = rows.copy()
        codec.decode(rows)
        codec.raw(rows)
        np.testing.assert_array_equal(rows, written)

    def test_the_restored_codec_is_the_same_codec(self, name: str) -> None:
        codec = _made(name)
        again = restore(name, WIDTH, {key: array.copy() for key, array in codec.calibration().items()})
        vectors = _correlated(50)
        rows = codec.encode(vectors)
        assert again.encode(vectors).tobytes() == rows.tobytes()
        assert again.decode(rows).tobytes() == codec.decode(rows).tobytes()
        assert again.calibration_digest == codec.calibration_digest

    def test_calibrating_again_on_the_same_sample_gives_the_same_codec(self, name: str) -> None:
        assert _made(name).calibration_digest == _made(name).calibration_digest

    def test_what_was_learned_cannot_be_changed(self, name: str) -> None:
        for array in _made(name).calibration().values():
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0

    def test_an_all_zero_text_works(self, name: str) -> None:
        codec = _made(name)
        decoded = codec.decode(codec.encode(np.zeros((1, WIDTH), np.float32)))
        assert np.isfinite(decoded).all()

    def test_a_sample_of_zeros_works_and_keeps_zeros(self, name: str) -> None:
        zeros = np.zeros((30, WIDTH), np.float32)
        codec = calibrate(name, zeros)
        np.testing.assert_allclose(codec.decode(codec.encode(zeros)), zeros, atol=1e-5)

    def test_a_constant_dimension_keeps_its_constant(self, name: str) -> None:
        vectors = _correlated(300)
        vectors[:, 4] = 2.5
        codec = calibrate(name, vectors)
        np.testing.assert_allclose(codec.decode(codec.encode(vectors))[:, 4], 2.5, atol=0.05)

    def test_a_sample_of_one_text_works(self, name: str) -> None:
        vectors = _correlated(1)
        codec = calibrate(name, vectors)
        np.testing.assert_allclose(codec.decode(codec.encode(vectors)), vectors, rtol=1e-3, atol=1e-4)

    def test_no_texts_at_all_work(self, name: str) -> None:
        codec = _made(name)
        rows = codec.encode(np.empty((0, WIDTH), np.float32))
        assert rows.shape == (0, codec.cells)
        assert codec.decode(rows).shape == codec.raw(rows).shape == (0, WIDTH)

    @pytest.mark.parametrize("size", [1e6, 1e38, 3.4e38])
    def test_numbers_far_outside_the_sample_stay_finite(self, name: str, size: float) -> None:
        codec = _made(name)
        vectors = np.full((2, WIDTH), size, np.float32) * np.array([[1], [-1]], np.float32)
        assert np.isfinite(codec.decode(codec.encode(vectors))).all()

    @settings(max_examples=50, deadline=None)
    @given(
        vectors=arrays.arrays(
            np.float32,
            st.tuples(st.integers(1, 12), st.integers(1, 12)),
            elements=st.floats(-(2.0**100), 2.0**100, width=32),
        )
    )
    def test_any_sample_of_finite_numbers_can_be_calibrated_on(self, name: str, vectors: Vectors) -> None:
        codec = calibrate(name, vectors)
        assert np.isfinite(codec.decode(codec.encode(vectors))).all()

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_numbers_that_are_not_finite_are_refused_with_their_row(self, name: str, bad: float) -> None:
        vectors = _correlated(10)
        vectors[7, 3] = bad
        with pytest.raises(UsageError, match=r"1 of 10 vectors hold NaN or infinity \(the first at row 7\)"):
            _made(name).encode(vectors)

    def test_another_width_is_refused(self, name: str) -> None:
        codec = _made(name)
        with pytest.raises(UsageError, match=r"shape \[texts, 21\], found \[3, 20\]"):
            codec.encode(np.zeros((3, 20), np.float32))
        with pytest.raises(UsageError, match="reads rows of shape"):
            codec.decode(np.zeros((3, codec.cells + 1), codec.dtype))

    def test_rows_of_another_dtype_are_refused(self, name: str) -> None:
        codec = _made(name)
        with pytest.raises(UsageError, match="and int64"):
            codec.decode(np.zeros((3, codec.cells), np.int64))


def _correlated(texts: int, width: int = WIDTH, seed: int = 0) -> Vectors:
    """Vectors as layers give them: correlated dimensions of very different sizes, far from zero."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(width, width)) * np.geomspace(3, 0.05, width)
    vectors: Vectors = (random.normal(size=(texts, width)) @ mixing + random.normal(size=width) * 4).astype(np.float32)
    return vectors


def _made(name: str, width: int = WIDTH) -> Codec:
    return calibrate(name, _correlated(300, width, seed=1))
