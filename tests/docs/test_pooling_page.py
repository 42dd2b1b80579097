"""What docs/howto/pooling.md shows runs, top to bottom, on a tiny encoder."""

import re
from pathlib import Path

import pytest

import embank
from material.tails import moods, options, save_tiny, texts_of

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "pooling.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_examples_of_the_page_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = save_tiny(tmp_path / "tiny")
    texts, new_texts = texts_of(80), texts_of(8, 300)
    with embank.Bank.create("bank", options()) as bank:
        bank.encode(texts[:1], columns=["minilm/4/mean@float16"], encoder=f"minilm={folder}")
    known = {"texts": texts, "labels": moods(texts), "new_texts": new_texts}
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)  # noqa: S102 - that is the test
    shown = capsys.readouterr().out
    assert re.search(r"^topic-[0-9a-f]{12}/4/own@float16$", shown, re.MULTILINE)
    assert known["report"].columns == (known["learned"].column,)
    assert None not in known["table"]["topic"].to_pylist()
