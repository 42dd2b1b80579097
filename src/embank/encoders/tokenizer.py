"""Texts to token rows: prompts, pairs, truncation, and windows of long texts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int32

from embank.encoders import Places, Tokens
from embank.encoders.folder import EncoderFolder
from embank.errors import EncoderError, UsageError
from embank.optional import load
from embank.recipe import Reading
from embank.texts import Text

if TYPE_CHECKING:
    import tokenizers

_CHARACTERS = 32
"""Characters per token that the first cut of a very long text allows for."""

_MARGIN = 128
"""Tokens beyond the limit that a shortened text must still have, so that none within the limit belongs to the word that
was cut in two: a WordPiece word has at most 100 characters, and so tokens."""

_OVERLAP = 4
"""Neighbouring windows share a quarter of the longest input. A prompt stands before the text: in its first window."""


class Tokenizing:
    """A tokenizer as one reading uses it."""

    def __init__(self, folder: EncoderFolder, reading: Reading) -> None:
        """Load the tokenizer of a folder.

        Raises:
            ExtraMissingError: transformers is not installed.
            EncoderError: the tokenizer cannot be loaded.
        """
        transformers = load("transformers", "torch")
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                folder.transformer, local_files_only=True, trust_remote_code=False
            )
        except Exception as fault:
            raise EncoderError(f"the tokenizer in {folder.transformer} cannot be loaded: {fault}") from fault
        self._reading = reading
        self._lower = folder.lower
        self._stride = reading.max_tokens // _OVERLAP
        self._tokenizer.truncation_side = reading.truncation
        # Built by hand below: right, whatever the folder says. Causal encoders pool at the last real token.
        self._tokenizer.padding_side = "right"
        counts = folder.own is None or folder.own.prompt_counts
        self.skip = 0 if counts or not reading.prompt else self._prompt_tokens(reading.prompt)
        pad = self._tokenizer.pad_token_id
        self.padding = int(pad if pad is not None else self._tokenizer.eos_token_id or 0)

    def __call__(self, texts: Sequence[Text]) -> Tokens:
        """Turn texts into token rows.

        Raises:
            EncoderError: the tokenizer broke down over these texts.
        """
        with _breakdowns():
            prepared = [self._prepare(text) for text in texts]
            # Single texts and pairs are framed differently, and windows come by another call: each kind is tokenised
            # apart, and put together again.
            kinds = [(isinstance(text, str), self._slides(text)) for text in prepared]
            places = {kind: [at for at, own in enumerate(kinds) if own == kind] for kind in dict.fromkeys(kinds)}
            parts = [(at, self._alike([prepared[one] for one in at], windows=kind[1])) for kind, at in places.items()]
        if len(parts) == 1:
            return parts[0][1]
        return self._merged(parts, len(texts))

    def places(self, texts: Sequence[Text]) -> list[Places]:
        """Say where the tokens of each text stand in it: as many as the row has that `__call__` gives for the text.

        A token that the prompt and the text share belongs to the text, from its first character on.

        Raises:
            UsageError: long texts are read in windows, so a text is no single row; or the tokenizer knows no offsets.
            EncoderError: the tokenizer broke down over these texts.
        """
        if self._reading.long == "windows":
            message = "found an encoder that reads long texts in windows, expected one row per text to place its tokens"
            raise UsageError(f"{message}; give the encoder long='cut' (--long cut)")
        if not self._tokenizer.is_fast:
            message = f"found {type(self._tokenizer).__name__}, expected a tokenizer that knows character offsets"
            raise UsageError(f"{message}; choose an encoder with a tokenizer.json")
        found: dict[int, Places] = {}
        with _breakdowns():
            for single in (True, False):
                alike = [at for at, text in enumerate(texts) if isinstance(text, str) == single]
                if alike:
                    found |= zip(alike, self._places_alike([texts[at] for at in alike]), strict=True)
        return [found[at] for at in range(len(texts))]

    def _places_alike(self, texts: Sequence[Text]) -> Iterator[Places]:
        prepared = [self._prepare(text) for text in texts]
        shortened = [self._shorten(text) for text in prepared]
        encoded = self._encode(shortened, overflow=False)
        for at, text in enumerate(texts):
            # What shortening took from the left of a single text stands before the offsets.
            gone = len(prepared[at]) - len(shortened[at]) if self._reading.truncation == "left" else 0
            yield self._placed(text, encoded.encodings[at], gone)

    def _placed(self, text: Text, encoding: "tokenizers.Encoding", gone: int) -> Places:
        """Offsets in the text as it was given, from those in what the tokenizer was shown."""
        offsets = np.array(encoding.offsets, np.int32).reshape(-1, 2)
        halves = np.array([-1 if half is None else half for half in encoding.sequence_ids], np.int8)
        offsets[halves == 0] += gone
        if self._lower:
            given = (text,) if isinstance(text, str) else text
            for half, string in enumerate((self._reading.prompt + given[0], *given[1:])):
                offsets[halves == half] = _before_lowering(string, offsets[halves == half])
        first = halves == 0
        offsets[first] -= len(self._reading.prompt)
        if self._reading.prompt:
            halves[first & (offsets[:, 1] <= 0)] = -1
        offsets[halves < 0] = 0
        np.maximum(offsets, 0, out=offsets)
        return Places(offsets[:, 0].copy(), offsets[:, 1].copy(), halves)

    def _merged(self, parts: Sequence[tuple[list[int], Tokens]], texts: int) -> Tokens:
        cut = np.zeros(texts, np.bool_)
        rows: list[tuple[int, Sequence[int], Sequence[int] | None]] = []
        for places, part in parts:
            cut[places] = part.cut
            types: Sequence[Sequence[int] | None] = part.types or [None] * len(part.ids)
            rows += zip((places[own] for own in part.owner.tolist()), part.ids, types, strict=True)
        rows.sort(key=lambda row: row[0])  # stable: windows of a text stay in order
        typed = [kind for _, _, kind in rows if kind is not None]
        ids = [row for _, row, _ in rows]
        owner = np.array([own for own, _, _ in rows], np.int64)
        types_of = typed if rows and len(typed) == len(rows) else None
        return Tokens(ids=ids, types=types_of, owner=owner, skip=self.skip, cut=cut)

    def _alike(self, texts: Sequence[Text], *, windows: bool) -> Tokens:
        if windows:
            return self._windows(texts)
        shortened = [self._shorten(text) for text in texts]
        encoded = self._encode(shortened, overflow=False)
        cut = np.zeros(len(texts), np.bool_)
        full = self._reading.max_tokens
        at_limit = [offset for offset, ids in enumerate(encoded["input_ids"]) if len(ids) >= full]
        for offset in at_limit:
            cut[offset] = self._length(shortened[offset]) > full
        owner = np.arange(len(texts), dtype=np.int64)
        types = encoded.get("token_type_ids")
        return Tokens(ids=encoded["input_ids"], types=types, owner=owner, skip=self.skip, cut=cut)

    def _windows(self, texts: Sequence[Text]) -> Tokens:
        encoded = self._encode(texts, overflow=True)
        owner = np.array(encoded["overflow_to_sample_mapping"], np.int64)
        order = np.argsort(owner, kind="stable")
        types = encoded.get("token_type_ids")
        return Tokens(
            ids=[encoded["input_ids"][row] for row in order],
            types=None if types is None else [types[row] for row in order],
            owner=owner[order],
            skip=self.skip,
            cut=np.zeros(len(texts), np.bool_),
        )

    def _slides(self, text: Text) -> bool:
        """Whether a text is read in windows. A pair is cut where its first half leaves a window too little to slide."""
        if self._reading.long != "windows":
            return False
        pair = isinstance(text, tuple)
        room = self._reading.max_tokens - int(self._tokenizer.num_special_tokens_to_add(pair=pair))
        if isinstance(text, tuple):
            first = self._tokenizer(text[0], add_special_tokens=False, truncation=False, verbose=False)
            room -= len(first["input_ids"])
        return room >= 2 * self._stride

    def _prepare(self, text: Text) -> Text:
        prompt = self._reading.prompt
        if isinstance(text, str):
            text = prompt + text if prompt else text
            return text.lower() if self._lower else text
        first, second = prompt + text[0], text[1]
        return (first.lower(), second.lower()) if self._lower else (first, second)

    def _shorten(self, text: Text) -> Text:
        """Take from a very long text what can matter, so that 10 MB cost no more than a page."""
        limit = self._reading.max_tokens * _CHARACTERS
        if not isinstance(text, str) or len(text) <= 2 * limit:
            return text
        while 2 * limit < len(text):
            part = text[:limit] if self._reading.truncation == "right" else text[-limit:]
            if self._length(part) >= self._reading.max_tokens + _MARGIN:
                return part
            limit *= 4
        return text

    def _length(self, text: Text) -> int:
        pair = {} if isinstance(text, str) else {"text_pair": text[1]}
        first = text if isinstance(text, str) else text[0]
        return len(self._tokenizer(first, **pair, truncation=False, verbose=False)["input_ids"])

    def _encode(self, texts: Sequence[Text], *, overflow: bool) -> Any:
        settings: dict[str, Any] = {
            "truncation": True,
            "max_length": self._reading.max_tokens,
            "return_attention_mask": False,
            "verbose": False,
        }
        if overflow:
            settings |= {"return_overflowing_tokens": True, "stride": self._stride}
        pairs = [text for text in texts if isinstance(text, tuple)]
        if not pairs:
            return self._tokenizer(list(texts), **settings)
        if overflow:  # a window slides over one half only: the second, as in question and context
            settings["truncation"] = "only_second"
        return self._tokenizer([pair[0] for pair in pairs], [pair[1] for pair in pairs], **settings)

    def _prompt_tokens(self, prompt: str) -> int:
        """How many tokens stand before the text: those of the prompt alone, less a closing special token."""
        ids = self._tokenizer(prompt.lower() if self._lower else prompt)["input_ids"]
        return len(ids) - 1 if ids and ids[-1] in self._tokenizer.all_special_ids else len(ids)


@contextmanager
def _breakdowns() -> Iterator[None]:
    """Turn what breaks inside the tokenizers library, which is no Exception, into an error of ours."""
    try:
        yield
    except BaseException as fault:
        if type(fault).__name__ != "PanicException":
            raise
        raise EncoderError(f"the tokenizer broke down: {fault}") from fault


def _before_lowering(text: str, offsets: Int32[np.ndarray, "tokens 2"]) -> Int32[np.ndarray, "tokens 2"]:
    """Offsets in a text, from offsets in its lower case: one letter (a dotted capital I) becomes two."""
    if len(text.lower()) == len(text):
        return offsets
    # Where each character of the lower case comes from; one more, for the end of the text.
    origin = np.repeat(np.arange(len(text) + 1), [*(len(letter.lower()) for letter in text), 1])
    covered = offsets[:, 0] < offsets[:, 1]
    ends = np.where(covered, origin[offsets[:, 1] - 1] + 1, origin[offsets[:, 0]])
    return np.stack([origin[offsets[:, 0]], ends], axis=1).astype(np.int32)
