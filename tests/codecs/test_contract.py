"""Embank's own codecs, and one that is written outside of it, keep the contract of codecs."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from embank.codecs import Float32, codec_names, register, registry, restore
from embank.codecs.floats import Float16
from embank.errors import UsageError
from embank.recipe import ColumnName
from embank.testing.codecs import CodecContract

OWN = codec_names()


@pytest.mark.parametrize("name", OWN)
class TestOwnCodecs(CodecContract):
    pass


@dataclass(frozen=True)
class Swapped(Float32):
    """Big-endian numbers: as exact as float32, and of no use."""

    name: ClassVar[str] = "swapped"

    def encode(self, vectors):
        return super().encode(vectors).byteswap()

    def decode(self, rows):
        return super().decode(rows).byteswap()

    def raw(self, rows):
        return self.decode(rows)


@pytest.fixture(scope="module", autouse=True)
def registered():
    register(Swapped)
    yield
    registry._CODECS.pop("swapped")


@pytest.mark.parametrize("name", ["swapped"])
class TestACodecFromOutside(CodecContract):
    pass


def test_a_registered_codec_is_known_by_its_name_everywhere():
    assert str(ColumnName.parse("minilm/4/mean@swapped")) == "minilm/4/mean@swapped"
    assert isinstance(restore("swapped", 3, {}), Swapped)
    assert "swapped" in codec_names()


def test_codecs_are_listed_from_most_to_fewest_bits():
    assert OWN == ("float32", "float16", "int8", "int4", "binary")


def test_two_codecs_cannot_share_a_name_and_not_every_name_will_do():
    class Other(Float16):
        name: ClassVar[str] = "float32"

    with pytest.raises(UsageError, match="codec 'float32' is registered already, by embank.codecs.floats"):
        register(Other)
    Other.name = "a/b"
    with pytest.raises(UsageError, match="'a/b' is no name for a codec"):
        register(Other)
    assert np.dtype(restore("float32", 3, {}).dtype) == np.float32
