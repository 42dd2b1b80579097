"""How an open bank reads texts, computes and encodes: the settings that it was opened with."""

from dataclasses import dataclass, field

from embank.encoders.backends import ComputeOptions
from embank.encoders.load import ReadingOptions


@dataclass(frozen=True, kw_only=True)
class EncodeSettings:
    """How a run goes; nothing here changes a byte of what is stored.

    Attributes:
        window: texts that are sorted by length and encoded together; fewer where states are taken, which weigh more.
        segment_bytes: rows are committed when they weigh this much (four times as much where states are taken),
        segment_seconds: or when the last commit is this long ago.
        keep_text: keep the texts themselves, compressed, so that columns can be added without the files.
        states_budget: bytes that all columns of states may weigh together; None is no limit. Texts beyond it get their
            vectors, and no states.
    """

    window: int = 4096
    segment_bytes: int = 16 << 20
    segment_seconds: float = 60.0
    keep_text: bool = False
    states_budget: int | None = None


@dataclass(frozen=True, kw_only=True)
class BankOptions:
    """How a bank's encoders read and compute; every feature of the bank obeys them.

    Attributes:
        reading: prompt, longest input and the like, for encoders that the bank does not know yet.
        compute: backend, precision, cache folder.
        run: window and segment sizes.
        local_files_only: ask no network for encoders.
        places: "NAME=FOLDER" for encoders that the bank knows and that have moved since.
    """

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    run: EncodeSettings = field(default_factory=EncodeSettings)
    local_files_only: bool = False
    places: tuple[str, ...] = ()
