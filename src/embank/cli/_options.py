"""Flags to the settings of a bank."""

from pathlib import Path
from typing import TYPE_CHECKING

import embank

if TYPE_CHECKING:
    from embank import BankOptions, EncodeSettings, ReadingOptions


def bank_options(
    backend: str | None,
    dtype: str | None,
    cache: Path | None,
    *,
    reading: "ReadingOptions | None" = None,
    local_files_only: bool = False,
    moved: str | None = None,
    run: "EncodeSettings | None" = None,
) -> "BankOptions":
    """Settings of a bank from the flags of a command."""
    return embank.BankOptions(
        reading=reading or embank.ReadingOptions(),
        compute=embank.ComputeOptions(backend, dtype, cache),
        local_files_only=local_files_only,
        places=(moved,) if moved else (),
        run=run or embank.EncodeSettings(),
    )
