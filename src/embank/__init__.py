"""Encode a text once with a pre-trained transformer, store the result on disk, run every task on what is stored.

The names below are the public names. They are loaded at first use, so that `import embank`, and with it the command
line's `--help`, costs next to nothing (docs/decisions/0019-torch-doors.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from embank.optional import missing_extra

if TYPE_CHECKING:
    from embank import errors as errors
    from embank import samples as samples
    from embank import tables as tables
    from embank.bank import Bank as Bank
    from embank.codecs import codec_names as codec_names
    from embank.dedup import DedupSettings as DedupSettings
    from embank.dedup.find import DedupReport as DedupReport
    from embank.dedup.find import Duplicates as Duplicates
    from embank.distill.baselines import finetune_baseline as finetune_baseline
    from embank.distill.baselines import student_baseline as student_baseline
    from embank.distill.settings import ProjectionReport as ProjectionReport
    from embank.distill.settings import ProjectionSettings as ProjectionSettings
    from embank.distill.task_settings import StudentSettings as StudentSettings
    from embank.distill.teacher import DistilledFrom as DistilledFrom
    from embank.encode import EncodeReport as EncodeReport
    from embank.encode import TextBlock as TextBlock
    from embank.encode.options import BankOptions as BankOptions
    from embank.encode.options import EncodeSettings as EncodeSettings
    from embank.encoders.available import available_encoders as available_encoders
    from embank.encoders.available import backends as backends
    from embank.encoders.backends import ComputeOptions as ComputeOptions
    from embank.encoders.load import ReadingOptions as ReadingOptions
    from embank.encoders.load import locate as locate
    from embank.evaluate.retrieval import JudgedQueries as JudgedQueries
    from embank.evaluate.retrieval import RetrievalReport as RetrievalReport
    from embank.evaluate.sts import StsReport as StsReport
    from embank.evaluate.transfer import Target as Target
    from embank.evaluate.transfer import Transfer as Transfer
    from embank.evaluate.transfer import TransferSettings as TransferSettings
    from embank.evaluate.transfer import evaluate_transfer as evaluate_transfer
    from embank.export.files import ExportReport as ExportReport
    from embank.fit import FitSettings as FitSettings
    from embank.fit.finetune import FineTuned as FineTuned
    from embank.fit.finetune import FineTuneData as FineTuneData
    from embank.fit.pooling import LearnedColumn as LearnedColumn
    from embank.fit.report import FitReport as FitReport
    from embank.fit.source_tasks import Source as Source
    from embank.integrations.sentence_transformers import SentenceEncoder as SentenceEncoder
    from embank.integrations.sklearn import Columns as Columns
    from embank.labels.read import read_labels as read_labels
    from embank.labels.words import words_fault as words_fault
    from embank.labels.words import words_text as words_text
    from embank.models.pooling_design import PoolingDesign as PoolingDesign
    from embank.models.pooling_design import PoolingSettings as PoolingSettings
    from embank.models.tail_settings import TailSettings as TailSettings
    from embank.multitask import MultitaskReport as MultitaskReport
    from embank.multitask import MultitaskSettings as MultitaskSettings
    from embank.multitask.train import train_multitask as train_multitask
    from embank.plan import Plan as Plan
    from embank.plan import PlanSettings as PlanSettings
    from embank.plan.json_document import plan_json as plan_json
    from embank.plan.json_document import read_plan as read_plan
    from embank.plan.report import plan_html as plan_html
    from embank.prefix.prefixes import DroppedColumn as DroppedColumn
    from embank.prefix.prefixes import PrefixChange as PrefixChange
    from embank.prefix.prefixes import Prefixes as Prefixes
    from embank.prefix.train import PrefixSettings as PrefixSettings
    from embank.recipe import ColumnName as ColumnName
    from embank.search import SearchSettings as SearchSettings
    from embank.search.queries import encoder_vectors as encoder_vectors
    from embank.store.names import BankNames as BankNames
    from embank.store.names import bank_names as bank_names
    from embank.store.summary import BankSummary as BankSummary
    from embank.texts import text_key as text_key
    from embank.training.settings import TrainingProgress as TrainingProgress
    from embank.training.settings import TrainingSettings as TrainingSettings

_PUBLIC = {
    "Bank": "embank.bank",
    "BankNames": "embank.store.names",
    "BankOptions": "embank.encode.options",
    "BankSummary": "embank.store.summary",
    "ColumnName": "embank.recipe",
    "Columns": "embank.integrations.sklearn",
    "ComputeOptions": "embank.encoders.backends",
    "DedupReport": "embank.dedup.find",
    "DedupSettings": "embank.dedup",
    "DistilledFrom": "embank.distill.teacher",
    "DroppedColumn": "embank.prefix.prefixes",
    "Duplicates": "embank.dedup.find",
    "EncodeReport": "embank.encode",
    "EncodeSettings": "embank.encode.options",
    "ExportReport": "embank.export.files",
    "FineTuneData": "embank.fit.finetune",
    "FineTuned": "embank.fit.finetune",
    "FitReport": "embank.fit.report",
    "FitSettings": "embank.fit",
    "JudgedQueries": "embank.evaluate.retrieval",
    "LearnedColumn": "embank.fit.pooling",
    "MultitaskReport": "embank.multitask",
    "MultitaskSettings": "embank.multitask",
    "Plan": "embank.plan",
    "PlanSettings": "embank.plan",
    "PoolingDesign": "embank.models.pooling_design",
    "PoolingSettings": "embank.models.pooling_design",
    "PrefixChange": "embank.prefix.prefixes",
    "PrefixSettings": "embank.prefix.train",
    "Prefixes": "embank.prefix.prefixes",
    "ProjectionReport": "embank.distill.settings",
    "ProjectionSettings": "embank.distill.settings",
    "ReadingOptions": "embank.encoders.load",
    "RetrievalReport": "embank.evaluate.retrieval",
    "SearchSettings": "embank.search",
    "SentenceEncoder": "embank.integrations.sentence_transformers",
    "Source": "embank.fit.source_tasks",
    "StsReport": "embank.evaluate.sts",
    "StudentSettings": "embank.distill.task_settings",
    "TailSettings": "embank.models.tail_settings",
    "Target": "embank.evaluate.transfer",
    "TextBlock": "embank.encode",
    "TrainingProgress": "embank.training.settings",
    "TrainingSettings": "embank.training.settings",
    "Transfer": "embank.evaluate.transfer",
    "TransferSettings": "embank.evaluate.transfer",
    "available_encoders": "embank.encoders.available",
    "backends": "embank.encoders.available",
    "bank_names": "embank.store.names",
    "codec_names": "embank.codecs",
    "encoder_vectors": "embank.search.queries",
    "errors": "embank.errors",
    "evaluate_transfer": "embank.evaluate.transfer",
    "finetune_baseline": "embank.distill.baselines",
    "locate": "embank.encoders.load",
    "plan_html": "embank.plan.report",
    "plan_json": "embank.plan.json_document",
    "read_labels": "embank.labels.read",
    "read_plan": "embank.plan.json_document",
    "samples": "embank.samples",
    "student_baseline": "embank.distill.baselines",
    "tables": "embank.tables",
    "text_key": "embank.texts",
    "train_multitask": "embank.multitask.train",
    "words_fault": "embank.labels.words",
    "words_text": "embank.labels.words",
}

_MODULES = ("errors", "samples", "tables")

__all__ = [*_PUBLIC]  # noqa: PLE0604 - strings, all of them


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("embank")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'embank' has no attribute {name!r}")
    with missing_extra("torch"):
        module = import_module(_PUBLIC[name])
    return module if name in _MODULES else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
