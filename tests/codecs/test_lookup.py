"""Codecs by name, and from what was stored."""

import numpy as np
import pytest

from embank.codecs import calibrate, restore
from embank.errors import UsageError

SAMPLE = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="unknown codec 'int2'; known are float32, float16, int8, int4, binary"):
        calibrate("int2", SAMPLE)
    with pytest.raises(UsageError, match="unknown codec 'int2'"):
        restore("int2", 10, {})


@pytest.mark.parametrize("name", ["int8", "int4", "binary"])
def test_an_empty_sample_is_refused_where_something_is_learned(name):
    with pytest.raises(UsageError, match="at least one text"):
        calibrate(name, SAMPLE[:0])


@pytest.mark.parametrize("name", ["float32", "float16"])
def test_floats_need_no_sample(name):
    codec = calibrate(name, SAMPLE[:0])
    assert codec.calibration() == {}
    assert codec.calibration_digest == ""


@pytest.mark.parametrize("name", ["int8", "int4", "binary"])
def test_another_sample_gives_another_digest(name):
    assert calibrate(name, SAMPLE).calibration_digest != calibrate(name, SAMPLE[:30]).calibration_digest


@pytest.mark.parametrize("name", ["int8", "int4", "binary"])
def test_a_calibration_without_its_arrays_is_refused(name):
    with pytest.raises(UsageError, match="lacks 'scale'"):
        restore(name, 10, {k: v for k, v in calibrate(name, SAMPLE).calibration().items() if k != "scale"})


@pytest.mark.parametrize("name", ["int8", "int4", "binary"])
def test_a_calibration_of_another_width_is_refused(name):
    with pytest.raises(UsageError, match="was it made for another width"):
        restore(name, 11, calibrate(name, SAMPLE).calibration())


@pytest.mark.parametrize("name", ["int8", "int4", "binary"])
def test_a_calibration_that_is_not_finite_is_refused(name):
    calibration = calibrate(name, SAMPLE).calibration()
    with pytest.raises(UsageError, match="'scale' that are not finite"):
        restore(name, 10, {**calibration, "scale": calibration["scale"] * np.nan})


def test_a_binary_calibration_with_too_many_bits_is_refused():
    calibration = calibrate("binary", SAMPLE).calibration()
    with pytest.raises(UsageError, match="expected 10 in all"):
        restore("binary", 10, {**calibration, "bits": calibration["bits"] + 1})
