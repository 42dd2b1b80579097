"""Standard input, guessed or named."""

import io

import pytest

from embank.errors import InputError
from embank.tables import check, read


@pytest.fixture
def typed(monkeypatch):
    def feed(content, raw=io.BytesIO):
        stdin = io.TextIOWrapper(raw(content))
        monkeypatch.setattr("sys.stdin", stdin)
        return stdin

    return feed


def texts(columns=("text",), **options):
    return [value for block in read(["-"], columns, **options) for value in block.columns[columns[0]]]


@pytest.mark.parametrize("raw", [io.BytesIO, lambda content: io.BufferedReader(io.BytesIO(content))])
def test_a_brace_means_json_lines_and_anything_else_texts(typed, raw):
    typed(b'\n {"text": "a"}\n{"text": "b"}\n', raw)
    assert texts() == ["a", "b"]
    typed(b'\nplain\n{"text": "b"}\n', raw)
    assert texts() == ["", "plain", '{"text": "b"}']


def test_a_named_format_is_not_guessed(typed):
    typed(b'{"text": "a"}\n')
    assert texts(as_format="text") == ['{"text": "a"}']
    typed(b"n\ttext\n1\ta\n")
    assert texts(as_format="tsv") == ["a"]
    typed(b"n,text\n1,a\n")
    assert texts(as_format="csv") == ["a"]
    typed(b'5\n{"text": "a"}\n')
    assert texts(as_format="jsonl") == [None, "a"]


def test_looking_does_not_consume_and_reading_does_not_close(typed):
    stdin = typed(b"text\na\n")
    check(["-"], ["text"], as_format="csv")
    assert texts(as_format="csv") == ["a"]
    assert not stdin.buffer.closed


def test_positions_go_on_over_blocks(typed):
    typed(b"a\nb\nc\n")
    assert [(block.source, block.start) for block in read(["-"], ["text"], block_rows=2)] == [("-", 0), ("-", 2)]


@pytest.mark.parametrize(
    ("content", "columns", "options", "complaint"),
    [
        (b"", ["text"], {}, "- is empty"),
        (b'{"txt": "a"}\n', ["text"], {}, "did you mean 'txt'"),
        (b"a\n", ["text", "label"], {}, "no column 'label'"),
        (b"x,y\n", ["text"], {"as_format": "csv"}, "no column 'text'"),
        (b"PAR1", ["text"], {"as_format": "parquet"}, "cannot be read from standard input"),
    ],
)
def test_input_that_does_not_fit_is_refused_before_the_first_block(typed, content, columns, options, complaint):
    typed(content)
    with pytest.raises(InputError, match=complaint):
        next(read(["-"], columns, **options))
