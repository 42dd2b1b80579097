"""Encode a text once, bank the representation on disk, run every task on what is banked.

The names below are the public face. They are loaded at first use, so that `import embank`, and with it the command
line's `--help`, costs next to nothing (docs/decisions/0004-late-imports.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embank import errors as errors
    from embank import tables as tables
    from embank.bank import Bank as Bank
    from embank.columns import Columns as Columns
    from embank.deduplication import DedupSettings as DedupSettings
    from embank.duplicates import DedupReport as DedupReport
    from embank.duplicates import Duplicates as Duplicates
    from embank.duplicates import find_duplicates as find_duplicates
    from embank.encoders.listing import available_encoders as available_encoders
    from embank.encoders.listing import backends as backends
    from embank.encoders.opening import ReadingOptions as ReadingOptions
    from embank.encoding import EncodeReport as EncodeReport
    from embank.encoding import TextBlock as TextBlock
    from embank.encoding.compute import ComputeOptions as ComputeOptions
    from embank.encoding.running import EncodeSettings as EncodeSettings
    from embank.encoding.sessions import BankOptions as BankOptions
    from embank.exporting import ExportReport as ExportReport
    from embank.exporting import export_column as export_column
    from embank.fitting import FitReport as FitReport
    from embank.fitting import FitSettings as FitSettings
    from embank.learned import LearnedColumn as LearnedColumn
    from embank.learned import fill_pooling as fill_pooling
    from embank.learned import learn_pooling as learn_pooling
    from embank.planning import Plan as Plan
    from embank.planning import PlanSettings as PlanSettings
    from embank.pooling import PoolingDesign as PoolingDesign
    from embank.pooling import PoolingSettings as PoolingSettings
    from embank.retrieval import SearchSettings as SearchSettings
    from embank.searching import search as search
    from embank.sentences import SentenceEncoder as SentenceEncoder
    from embank.tails.settings import TailSettings as TailSettings
    from embank.tails.settings import TrainingProgress as TrainingProgress
    from embank.tails.settings import TrainingSettings as TrainingSettings
    from embank.texts import text_key as text_key

_PUBLIC = {
    "Bank": "embank.bank",
    "BankOptions": "embank.encoding.sessions",
    "Columns": "embank.columns",
    "ComputeOptions": "embank.encoding.compute",
    "DedupReport": "embank.duplicates",
    "DedupSettings": "embank.deduplication",
    "Duplicates": "embank.duplicates",
    "EncodeReport": "embank.encoding",
    "EncodeSettings": "embank.encoding.running",
    "ExportReport": "embank.exporting",
    "FitReport": "embank.fitting",
    "FitSettings": "embank.fitting",
    "LearnedColumn": "embank.learned",
    "Plan": "embank.planning",
    "PlanSettings": "embank.planning",
    "PoolingDesign": "embank.pooling",
    "PoolingSettings": "embank.pooling",
    "ReadingOptions": "embank.encoders.opening",
    "SearchSettings": "embank.retrieval",
    "SentenceEncoder": "embank.sentences",
    "TailSettings": "embank.tails.settings",
    "TextBlock": "embank.encoding",
    "TrainingProgress": "embank.tails.settings",
    "TrainingSettings": "embank.tails.settings",
    "available_encoders": "embank.encoders.listing",
    "backends": "embank.encoders.listing",
    "errors": "embank.errors",
    "export_column": "embank.exporting",
    "fill_pooling": "embank.learned",
    "find_duplicates": "embank.duplicates",
    "learn_pooling": "embank.learned",
    "search": "embank.searching",
    "tables": "embank.tables",
    "text_key": "embank.texts",
}

_MODULES = ("errors", "tables")

__all__ = [
    "Bank",
    "BankOptions",
    "Columns",
    "ComputeOptions",
    "DedupReport",
    "DedupSettings",
    "Duplicates",
    "EncodeReport",
    "EncodeSettings",
    "ExportReport",
    "FitReport",
    "FitSettings",
    "LearnedColumn",
    "Plan",
    "PlanSettings",
    "PoolingDesign",
    "PoolingSettings",
    "ReadingOptions",
    "SearchSettings",
    "SentenceEncoder",
    "TailSettings",
    "TextBlock",
    "TrainingProgress",
    "TrainingSettings",
    "available_encoders",
    "backends",
    "errors",
    "export_column",
    "fill_pooling",
    "find_duplicates",
    "learn_pooling",
    "search",
    "tables",
    "text_key",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'embank' has no attribute {name!r}")
    module = import_module(_PUBLIC[name])
    return module if name in _MODULES else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
