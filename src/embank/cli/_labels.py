"""Files of labels: which rows their labels belong to, and reading them whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import embank
from embank.cli._flags import DEFAULT_TEXT
from embank.cli._input import Source, joined, rows_of


@dataclass(frozen=True, kw_only=True)
class LabelFiles:
    """Files of labels, and what their columns are.

    Attributes:
        files: paths.
        label: the column of labels.
        text: the column of texts, or None: `text` where there are no ids.
        words: a column of lists of words instead, or None.
        id: a column of ids instead, or None.
        pair: a second column that is read together with the texts, or None.
        apart: a second column that is encoded apart, or None.
        as_format: as the user said, or None.
    """

    files: Sequence[Path]
    label: str | None
    text: str | None = None
    words: str | None = None
    id: str | None = None
    pair: str | None = None
    apart: str | None = None
    as_format: str | None = None

    @property
    def main(self) -> str | None:
        """The column of texts or of words: of the name `text` where neither it nor one of ids is given."""
        return self.words or self.text or (DEFAULT_TEXT if self.id is None else None)

    def read(self) -> tuple[list[Any], dict[str, Any]]:
        """Labels, and the arguments of `Bank.fit` that say which texts they belong to.

        Raises:
            UsageError: flags that contradict each other, or too few of them.
            InputError: a file that cannot be read, or lacks a column.
        """
        label = self.label
        if not self.files or label is None:
            raise embank.errors.UsageError("give a file of labels and --label COL, or --refit")
        if self.words is not None and self.text is not None:
            raise embank.errors.UsageError("give --text or --words, not both")
        main = self.main
        if (main is None) == (self.id is None):
            raise embank.errors.UsageError("say which rows the labels belong to: --text COL, or --id COL")
        if self.id is not None and (self.pair or self.apart):
            raise embank.errors.UsageError("--pair and --pair-apart go with --text, not with --id")
        source = Source(files=self.files, text=main or self.id or "", pair=self.pair, as_format=self.as_format)
        found = rows_of(source, [label, *([self.apart] if self.apart else [])])
        return found[label], self._given(found, main)

    def of(self, label: str) -> "LabelFiles":
        """The same files with another column of labels."""
        return replace(self, label=label)

    def _given(self, found: dict[str, list[Any]], main: str | None) -> dict[str, Any]:
        if main is None:
            return {"ids": found[self.id or ""]}
        texts = [joined(words) for words in found[main]] if self.words else found[main]
        if self.apart is not None:
            return {"texts": texts, "seconds": found[self.apart]}
        return {"texts": texts if self.pair is None else list(zip(texts, found[self.pair], strict=True))}
