"""How an open bank reads texts, computes and encodes: what was asked for when it was opened."""

from dataclasses import dataclass, field

from embank.encode.run import EncodeSettings
from embank.encoders.backends import ComputeOptions
from embank.encoders.load import ReadingOptions


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
