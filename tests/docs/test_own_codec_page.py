"""The codec that the documents show is a codec: it keeps the contract."""

import re
from pathlib import Path

import pytest

from embank.codecs import registry
from embank.testing.codecs import CodecContract

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "your-own-codec.md"


@pytest.fixture(scope="module", autouse=True)
def registered():
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})  # noqa: S102 - it is the project's own page
    yield
    registry._CODECS.pop("float24")


@pytest.mark.parametrize("name", ["float24"])
class TestTheCodecOfThePage(CodecContract):
    pass
