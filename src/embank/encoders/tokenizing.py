"""Texts to token rows: prompts, pairs, texts that are too long, and texts that are far too long."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from embank.encoders import Tokens
from embank.encoders.folder import EncoderFolder
from embank.errors import EncoderError
from embank.extras import load
from embank.recipe import Reading
from embank.texts import Text

_CHARACTERS = 32
"""Characters a token, at the most, that a first look at a very long text allows for."""

_MARGIN = 64
"""Tokens beyond the limit that a shortened text must still have: no token within the limit can then be cut in two."""

_OVERLAP = 4
"""Neighbouring windows share a quarter of their tokens."""


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
        self._tokenizer.truncation_side = reading.truncation
        # Built by hand below: right, whatever the folder says. Causal encoders pool at the last real token.
        self._tokenizer.padding_side = "right"
        counts = folder.own is None or folder.own.prompt_counts
        self.skip = 0 if counts or not reading.prompt else self._prompt_tokens(reading.prompt)
        pad = self._tokenizer.pad_token_id
        self.padding = int(pad if pad is not None else self._tokenizer.eos_token_id or 0)

    def __call__(self, texts: Sequence[Text]) -> Tokens:
        """Turn texts into token rows."""
        single = np.array([isinstance(text, str) for text in texts], np.bool_)
        if single.all() or not single.any():
            return self._alike(texts)
        # A single text and a pair are framed differently, so they are tokenised apart and put together again.
        merged: list[tuple[int, Sequence[int], Sequence[int] | None]] = []
        cut = np.zeros(len(texts), np.bool_)
        for kind in (True, False):
            places = np.flatnonzero(single == kind)
            part = self._alike([texts[place] for place in places.tolist()])
            cut[places] = part.cut
            types: Sequence[Sequence[int] | None] = part.types or [None] * len(part.ids)
            merged += zip((int(places[own]) for own in part.owner), part.ids, types, strict=True)
        merged.sort(key=lambda row: row[0])
        owners, ids, kinds = zip(*merged, strict=True)
        typed = None if any(kind is None for kind in kinds) else list(kinds)
        return Tokens(list(ids), typed, np.array(owners, np.int64), self.skip, cut)

    def _alike(self, texts: Sequence[Text]) -> Tokens:
        if self._reading.long == "windows":
            return self._windows(texts)
        shortened = [self._shorten(self._prepare(text)) for text in texts]
        encoded = self._encode(shortened, overflow=False)
        cut = np.zeros(len(texts), np.bool_)
        full = self._reading.max_tokens
        at_limit = [offset for offset, ids in enumerate(encoded["input_ids"]) if len(ids) >= full]
        for offset in at_limit:
            cut[offset] = self._length(shortened[offset]) > full
        owner = np.arange(len(texts), dtype=np.int64)
        return Tokens(encoded["input_ids"], encoded.get("token_type_ids"), owner, self.skip, cut)

    def _windows(self, texts: Sequence[Text]) -> Tokens:
        encoded = self._encode([self._prepare(text) for text in texts], overflow=True)
        owner = np.array(encoded["overflow_to_sample_mapping"], np.int64)
        order = np.argsort(owner, kind="stable")
        types = encoded.get("token_type_ids")
        return Tokens(
            [encoded["input_ids"][row] for row in order],
            None if types is None else [types[row] for row in order],
            owner[order],
            self.skip,
            np.zeros(len(texts), np.bool_),
        )

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
            settings |= {"return_overflowing_tokens": True, "stride": self._reading.max_tokens // _OVERLAP}
        pairs = [text for text in texts if isinstance(text, tuple)]
        if not pairs:
            return self._tokenizer(list(texts), **settings)
        if overflow:  # a window slides over one half only: the second, as in question and context
            settings["truncation"] = "only_second"
        return self._tokenizer([pair[0] for pair in pairs], [pair[1] for pair in pairs], **settings)

    def _prompt_tokens(self, prompt: str) -> int:
        """How many tokens stand before the text: those of the prompt alone, less a closing special token."""
        ids = self._tokenizer(prompt)["input_ids"]
        closing = {self._tokenizer.sep_token_id, self._tokenizer.eos_token_id}
        return len(ids) - 1 if ids and ids[-1] in closing else len(ids)
