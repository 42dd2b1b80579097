"""The contract of encoding: blocks of a user's rows go in, a report comes out, the bank holds the rest."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, Final

from embank.errors import UsageError
from embank.reports.sheet import Sheet
from embank.reports.wording import counted
from embank.texts import HashedTexts, hashed

ENCODING: Final = "encoding"
"""The phase of a run in which an encoder computes."""

SHOWN_FAULTS = 100
"""Faults that a report lists; all of them are in the bank."""

_BLOCK = 8192
"""Texts of a block that is made of texts in memory."""


@dataclass(frozen=True)
class TextBlock:
    """Consecutive rows of one source.

    Attributes:
        source: where they come from, for messages.
        start: position of the first, counted from 0.
        texts: strings, pairs, or whatever else the file has there.
        ids: what the user calls them, or None.
        faults: offsets of rows that could not even be read, and why.
    """

    source: str
    start: int
    texts: Sequence[Any]
    _: KW_ONLY
    ids: Sequence[Any] | None = None
    faults: dict[int, str] = field(default_factory=dict)

    @cached_property
    def hashed(self) -> HashedTexts:
        """The texts' keys; hashed at the first use, whoever reads the block after that."""
        return hashed(self.texts, self.faults)


def blocks_of(texts: Iterable[Any], ids: Sequence[Any] | None) -> Iterator[TextBlock]:
    """Texts in memory as blocks; blocks among them are passed on as they are.

    Raises:
        UsageError: one string instead of texts, or fewer ids than texts.
    """
    if isinstance(texts, str):
        raise UsageError("texts is one string; give a list of texts")
    start = 0
    chunk: list[Any] = []
    for text in texts:
        if isinstance(text, TextBlock):
            yield text
            continue
        chunk.append(text)
        if len(chunk) == _BLOCK:
            yield _block(chunk, start, ids)
            start, chunk = start + len(chunk), []
    if chunk:
        yield _block(chunk, start, ids)


def _block(texts: list[Any], start: int, ids: Sequence[Any] | None) -> TextBlock:
    if ids is not None and len(ids) < start + len(texts):
        raise UsageError(f"there are fewer ids ({len(ids)}) than texts: one id per text is needed")
    return TextBlock("texts", start, texts, ids=None if ids is None else list(ids[start : start + len(texts)]))


@dataclass(frozen=True)
class Fault:
    """A row that could not be encoded: where it stood, and why."""

    source: str
    position: int
    id: Any
    reason: str


_COUNTED = ("rows", "new", "completed", "known", "unkept", "cut", "n_faults", "moved", "seconds", "encoding_seconds")


@dataclass(kw_only=True)
class EncodeReport(Sheet):
    """What an encoding run did; also what it has done so far, while it runs.

    Attributes:
        rows: rows read.
        new: texts that the bank did not have.
        completed: texts that it had, and that were given columns they lacked.
        known: rows whose text needed nothing.
        unkept: texts whose states were not stored, as the budget was spent.
        cut: texts longer than the encoder reads, that lost their end.
        faults: rows that could not be encoded: the first ones, all of them are in the bank.
        n_faults: how many there were.
        moved: ids that pointed to another text before.
        seconds: since the run began.
        encoding_seconds: of these, inside the encoder.
        interrupted: whether the user stopped it; what was finished is kept.
        phase: what the run is doing now, in a few words; "" before and after.
        phase_seconds: by phase: loading the encoder, trying backends, encoding.
    """

    rows: int = 0
    new: int = 0
    completed: int = 0
    known: int = 0
    unkept: int = 0
    cut: int = 0
    faults: list[Fault] = field(default_factory=list)
    n_faults: int = 0
    moved: int = 0
    seconds: float = 0.0
    encoding_seconds: float = 0.0
    interrupted: bool = False
    phase: str = ""
    phase_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def encoded(self) -> int:
        """Texts that went through an encoder."""
        return self.new + self.completed

    @property
    def done(self) -> int:
        """Rows that need no more work."""
        return min(self.known + self.encoded + self.n_faults, self.rows)

    @property
    def total(self) -> int | None:
        """Rows in all: a stream does not say."""
        return None

    @property
    def state(self) -> str:
        """The phase, or the speed of encoding."""
        if self.phase not in ("", ENCODING):
            return f"rows, {self.phase}"
        return f"rows, {self.encoded / max(self.encoding_seconds or self.seconds, 1e-9):,.0f} texts/s"

    @property
    def timing(self) -> str:
        """Seconds in all and by phase, and the speed of encoding."""
        phases = {**self.phase_seconds, ENCODING: self.encoding_seconds}
        named = ", ".join(f"{phase} {seconds:,.1f} s" for phase, seconds in phases.items())
        return f"{self.seconds:,.1f} s: {named} ({self.encoded / max(self.encoding_seconds, 1e-9):,.0f} texts/s)"

    def parts(self) -> Iterator[str]:
        """What the run did, in words."""
        read = counted(self.rows, "row") if not self.interrupted else f"{self.done:,} of {counted(self.rows, 'row')}"
        counts = [f"{read}: {counted(self.new, 'new text')}"]
        if self.completed:
            counts.append(f"{counted(self.completed, 'known text')} completed")
        yield ", ".join([*counts, f"{self.known:,} known already"])
        if not self.encoded:
            yield f"nothing to encode; looked up in {self.seconds:,.1f} s"
        if self.cut:
            yield f"{counted(self.cut, 'text')} cut to the longest input of the encoder (--long windows reads all)"
        if self.unkept:
            yield f"states of {counted(self.unkept, 'text')} were not stored (--states-budget reached)"
        if self.moved:
            yield f"{self.moved:,} ids named another text before; the old texts stay until they are forgotten"

    def add(self, other: "EncodeReport") -> None:
        """Count another run in."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults[: max(0, SHOWN_FAULTS - len(self.faults))]
        self.interrupted |= other.interrupted
        for phase, seconds in other.phase_seconds.items():
            self.phase_seconds[phase] = self.phase_seconds.get(phase, 0.0) + seconds


Watch = Callable[[EncodeReport], None]
"""A progress callback, called after every batch with what has been done so far."""

Stop = Callable[[], bool]
"""Called after every batch: whether to stop; what was encoded by then is kept."""
