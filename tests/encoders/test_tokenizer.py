"""Texts to token rows: cut and counted exactly, shortened without a trace, read in windows that lose nothing."""

import numpy as np
import pytest

from embank.encode.batch_encode import encode_texts
from embank.encoders import Readout
from embank.encoders.load import ReadingOptions, locate
from embank.encoders.tokenizer import Tokenizing
from embank.errors import EncoderError

CLS, SEP = 2, 3


@pytest.fixture
def reading(family_folder):
    """A tokenizer of the tiny encoder that reads as told."""

    def read(family="bert", **options):
        located = locate(str(family_folder(family)), ReadingOptions(**options))
        return Tokenizing(located.folder, located.reading)

    return read


def words(count, seed=0):
    """So many one-token words."""
    return " ".join(np.random.default_rng(seed).choice(["heat", "water", "pump", "city", "red"], count).tolist())


def test_a_text_of_exactly_the_longest_input_is_not_cut(reading):
    tokens = reading(max_tokens=16)([words(13), words(14), words(15), words(200)])
    assert [len(ids) for ids in tokens.ids] == [15, 16, 16, 16]
    assert tokens.cut.tolist() == [False, False, True, True]
    assert tokens.ids[3][0] == CLS
    assert tokens.ids[3][-1] == SEP


def test_a_pair_of_exactly_the_longest_input_is_not_cut(reading):
    tokens = reading(max_tokens=16)([(words(6), words(7)), (words(6), words(8)), (words(20), words(20))])
    assert [len(ids) for ids in tokens.ids] == [16, 16, 16]
    assert tokens.cut.tolist() == [False, True, True]
    assert tokens.types[0] == [0] * 8 + [1] * 8


def test_the_left_side_is_cut_where_that_is_asked(reading):
    text = "red " + words(30) + " paris"
    whole = reading(max_tokens=80)([text]).ids[0]
    assert reading(max_tokens=16)([text]).ids[0] == [*whole[:15], SEP]
    assert reading(max_tokens=16, truncation="left")([text]).ids[0] == [CLS, *whole[-15:]]
    assert reading(max_tokens=16, truncation="left")([text]).cut.tolist() == [True]


MEGABYTES = {
    "words": lambda: words(5000) + " " + "the pump is broken " * 540_000 + words(5000),
    "signs without spaces": lambda: "!?," * 3_400_000,
    "words too long to be known": lambda: ("x" * 99 + "é ") * 100_000,
}


@pytest.mark.parametrize("truncation", ["right", "left"])
@pytest.mark.parametrize("kind", MEGABYTES)
def test_ten_megabytes_cost_no_more_than_a_page_and_give_the_same_tokens(kind, truncation, reading):
    tokenizing = reading(truncation=truncation)
    text = MEGABYTES[kind]()
    tokenizing._tokenizer, shown = spied(tokenizing._tokenizer)
    found = tokenizing([text])
    assert max(shown) <= 32_000
    # Tokens of the whole: its end on the other side is far away.
    part = text[:200_000] if truncation == "right" else text[-200_000:]
    assert found.ids == [tokenizing._tokenizer(part, truncation=True, max_length=64, verbose=False)["input_ids"]]
    assert found.cut.tolist() == [True]


def test_ten_megabytes_of_spaces_hide_no_word(reading):
    assert reading()([" " * 10_000_000 + "the pump is broken"]).ids == reading()(["the pump is broken"]).ids


def test_ten_megabytes_without_a_space_are_one_unknown_word(reading):
    tokens = reading()(["a" * 10_000_000])
    assert tokens.ids == [[CLS, 1, SEP]]
    assert tokens.cut.tolist() == [False]


def spied(tokenizer):
    """A tokenizer that notes how long the texts were that it was given."""
    shown = []
    return Spy(tokenizer, shown), shown


class Spy:
    """A tokenizer that notes how long the texts were that it was given."""

    def __init__(self, real, shown):
        self._real, self._shown = real, shown

    def __getattr__(self, name):
        return getattr(self._real, name)

    def __call__(self, text, *rest, **settings):
        self._shown += [len(one) for one in ([text] if isinstance(text, str) else text)]
        return self._real(text, *rest, **settings)


@pytest.mark.parametrize("length", [70, 80, 90])
def test_a_word_that_shortening_cuts_in_two_moves_no_token(length, reading):
    # The first look ends after 64 * 32 characters: inside a word that is one unknown token as a whole (it has more than
    # 100 letters), and a token a letter as far as it is seen.
    tokenizing = reading()
    before = ("☃" * 38 + " ") * 50
    before += "☃" * (64 * 32 - len(before) - length - 1) + " "
    text = before + "b" * 150 + " c" * 9000
    assert tokenizing([text[: 64 * 32]]).ids[0][-2] != 1
    assert tokenizing([text]).ids == [tokenizing._tokenizer(text, truncation=True, max_length=64)["input_ids"]]


def test_windows_cover_every_token_and_overlap_as_stated(reading):
    text = words(100)
    whole = reading(max_tokens=80)._tokenizer(text)["input_ids"][1:-1]
    tokens = reading(max_tokens=16, long="windows")([text])
    inside = [ids[1:-1] for ids in tokens.ids]
    assert all(ids[0] == CLS and ids[-1] == SEP and len(ids) <= 16 for ids in tokens.ids)
    joined = list(inside[0])
    for one in inside[1:]:
        assert joined[-4:] == one[:4]  # a quarter of 16
        joined += one[4:]
    assert joined == whole
    assert tokens.owner.tolist() == [0] * len(inside)
    assert tokens.cut.tolist() == [False]


def test_a_text_that_fits_is_read_the_same_cut_or_in_windows(reading):
    texts = [words(3), words(14), "Zürich 42!"]
    cut, windows = reading(max_tokens=16)(texts), reading(max_tokens=16, long="windows")(texts)
    assert list(map(list, cut.ids)) == list(map(list, windows.ids))
    assert list(map(list, cut.types)) == list(map(list, windows.types))
    assert cut.owner.tolist() == windows.owner.tolist() == [0, 1, 2]


def test_a_text_that_fits_has_the_same_vector_to_the_byte_cut_or_in_windows(open_tiny):
    texts = [words(3), words(14), "Zürich 42!"]
    readouts = [Readout(3, "mean"), Readout(3, "mean", ("unit",)), Readout(1, "max")]
    cut = encode_texts(open_tiny(max_tokens=16), texts, readouts)
    windows = encode_texts(open_tiny(max_tokens=16, long="windows"), texts, readouts)
    for one, other in zip(cut.vectors.values(), windows.vectors.values(), strict=True):
        assert one.tobytes() == other.tobytes()


def test_windows_are_averaged_by_their_tokens(open_tiny, encode, close):
    encoder = open_tiny(max_tokens=16, long="windows")
    text = words(31)
    plain, unit = encode_texts(
        encoder, ["a", text, "b"], [Readout(3, "mean"), Readout(3, "mean", ("unit",))]
    ).vectors.values()
    tokens = encoder.tokens([text])
    single = open_tiny(max_tokens=16)
    lengths = np.array([len(ids) for ids in tokens.ids])
    assert len(lengths) == 3
    assert lengths[-1] < 16
    decoded = [single.tokenizing._tokenizer.decode(ids, skip_special_tokens=True) for ids in tokens.ids]
    alone_plain, alone_unit = encode(single, decoded, [Readout(3, "mean"), Readout(3, "mean", ("unit",))])
    weights = (lengths / lengths.sum())[:, None]
    close(plain[1], (alone_plain * weights).sum(0))
    right = (alone_unit * weights).sum(0)
    assert np.linalg.norm(right) < 0.9999  # so that scaling the average again makes a difference
    close(unit[1], right / np.linalg.norm(right))


def test_a_prompt_stands_in_the_first_window_and_pooling_leaves_it_out_there_only(family_folder, tmp_path):
    import json
    import shutil

    from embank.encoders.batching import batches
    from embank.encoders.folder import read_folder

    folder = shutil.copytree(family_folder("bert"), tmp_path / "bert")
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    (folder / "modules.json").write_text(json.dumps([{"path": path, "type": f"x.{kind}"} for path, kind in kinds]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "mean", "include_prompt": false}')
    located = locate(str(folder), ReadingOptions(prompt="query : ", max_tokens=16, long="windows"))
    assert not read_folder(folder).own.prompt_counts
    tokenizing = Tokenizing(located.folder, located.reading)
    tokens = tokenizing(["a b", words(30)])
    assert tokens.skip == 3
    prompt = tokenizing._tokenizer("query : ")["input_ids"][:3]
    assert [list(ids[:3]) == prompt for ids in tokens.ids] == [True, True, False, False]
    left_out = {}
    for rows, batch in batches(tokens, 64, tokenizing.padding):
        left_out |= {row: int((batch.mask - batch.pool)[at].sum()) for at, row in enumerate(rows.tolist())}
    assert left_out == {0: 3, 1: 3, 2: 0, 3: 0}


def test_windows_of_a_pair_slide_over_its_second_half(reading):
    tokens = reading(max_tokens=24, long="windows")([(words(3), words(60))])
    first, second = (reading(max_tokens=80)._tokenizer(text)["input_ids"][1:-1] for text in (words(3), words(60)))
    assert len(tokens.ids) > 3
    joined = []
    for ids, types in zip(tokens.ids, tokens.types, strict=True):
        assert list(ids[:5]) == [CLS, *first, SEP]
        assert list(types) == [0] * 5 + [1] * (len(ids) - 5)
        own = list(ids[5:-1])
        assert not joined or joined[-6:] == own[:6]
        joined += own[6:] if joined else own
    assert joined == second


@pytest.mark.parametrize("first", [1, 8, 9, 10, 13, 14, 30, 200])
def test_a_pair_whose_first_half_leaves_no_room_to_slide_is_cut_and_counted(first, reading):
    tokens = reading(max_tokens=16, long="windows")([("a", "b"), (words(first), words(40)), ("c", "d")])
    slides = 16 - 3 - first >= 8
    assert (tokens.owner.tolist().count(1) > 1) == slides
    assert tokens.cut.tolist() == [False, not slides, False]
    assert sorted(tokens.owner.tolist()) == tokens.owner.tolist()
    assert max(map(len, tokens.ids)) == 16


@pytest.mark.parametrize("long", ["cut", "windows"])
def test_single_texts_and_pairs_in_one_call_are_read_as_each_alone(long, reading):
    tokenizing = reading(max_tokens=16, long=long)
    texts = ["a", ("b", "c"), words(40), (words(20), words(20)), ("d", words(40)), "e", words(14)]
    together = tokenizing(texts)
    for at, text in enumerate(texts):
        alone = tokenizing([text])
        rows = np.flatnonzero(together.owner == at)
        assert [list(together.ids[row]) for row in rows] == list(map(list, alone.ids))
        assert [list(together.types[row]) for row in rows] == list(map(list, alone.types))
        assert together.cut[at] == alone.cut[0]
    assert (np.diff(together.owner) >= 0).all()


@pytest.mark.parametrize("long", ["cut", "windows"])
def test_the_smallest_longest_input_reads_singles_and_pairs(long, reading):
    tokens = reading(max_tokens=4, long=long)(["a b c d", ("a b c", "d e f"), "a"])
    assert max(map(len, tokens.ids)) == 4
    assert tokens.owner.max() == 2


def test_no_texts_are_no_rows(reading):
    tokens = reading()([])
    assert (len(tokens.ids), len(tokens.owner), len(tokens.cut)) == (0, 0, 0)


def test_a_prompt_stands_before_a_text_and_before_the_first_of_a_pair(reading):
    plain, told = reading(), reading(prompt="query : ")
    assert told(["a"]).ids == plain(["query : a"]).ids
    assert told([("a", "b")]).ids == plain([("query : a", "b")]).ids
    assert told.skip == 0  # a folder without a pooling of its own pools over all of it


def test_case_and_combining_characters_are_the_tokenizers_affair(reading):
    same = reading()(["ZÜRICH", "zürich", "zu\u0308rich", "zurich"]).ids
    assert len({tuple(ids) for ids in same}) == 1
    odd = reading()(["🏳️‍🌈 a", "e\u0301" * 200, "\u200b", "\x00", "a\ud7ffb"])
    assert [ids[0] for ids in odd.ids] == [CLS] * 5
    assert odd.cut.tolist()[1:] == [False] * 4


def test_families_without_token_types_have_none(reading, tiny):
    assert reading()(["a", ("b", "c")]).types is not None
    tokenizing = reading()
    tokenizing._tokenizer = tiny(model_input_names=["input_ids", "attention_mask"])
    assert tokenizing(["a", ("b", "c")]).types is None


def test_a_tokenizer_that_breaks_down_is_an_encoder_error(reading):
    class PanicException(BaseException):
        """As pyo3 raises it: no Exception."""

    tokenizing = reading()

    def panic(*_, **__):
        raise PanicException("index out of bounds")

    tokenizing._encode = panic
    with pytest.raises(EncoderError, match="the tokenizer broke down: index out of bounds"):
        tokenizing(["a"])

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    tokenizing._encode = interrupt
    with pytest.raises(KeyboardInterrupt):
        tokenizing(["a"])
