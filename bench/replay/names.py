"""The one table of names: what the walk calls, and where old and new code have it. A rename adds a row here.

Places and commands are listed newest first; the first one that a side has is used. The walk itself knows logical names
only, so that one walk runs on both sides of a refactor.
"""

import contextlib
import dataclasses
import io
import itertools
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

PLACES = {
    "Bank": ("embank:Bank",),
    "BankOptions": ("embank:BankOptions",),
    "ComputeOptions": ("embank:ComputeOptions",),
    "DedupSettings": ("embank:DedupSettings",),
    "EncodeSettings": ("embank:EncodeSettings",),
    "FitSettings": ("embank:FitSettings",),
    "PoolingDesign": ("embank:PoolingDesign",),
    "PoolingSettings": ("embank:PoolingSettings",),
    "ReadingOptions": ("embank:ReadingOptions",),
    "SearchSettings": ("embank:SearchSettings",),
    "TailSettings": ("embank:TailSettings",),
    "TextBlock": ("embank:TextBlock",),
    "TrainingSettings": ("embank:TrainingSettings",),
    "FakeEncoder": ("embank.testing:FakeEncoder",),
    "encode_with": ("embank.testing:encode_with",),
    "Store": ("embank.store.folder:Store",),
    "main": ("embank.cli:main",),
    # functions that become methods of Bank; see METHODS
    "search": ("embank.search.search:search", "embank:search"),
    "find_duplicates": ("embank.dedup.find:find_duplicates", "embank:find_duplicates"),
    "export_column": ("embank.export.files:export_column", "embank:export_column"),
    "learn_pooling": ("embank.fit.pooled_columns:learn_pooling", "embank:learn_pooling"),
    "fill_pooling": ("embank.fit.pooled_columns:fill_pooling", "embank:fill_pooling"),
}
"""Logical name -> "module:name", newest first."""

METHODS = {
    "search": ("search",),
    "find_duplicates": ("dedup", "find_duplicates"),
    "export_column": ("export", "export_column"),
    "learn_pooling": ("learn_pooling",),
    "fill_pooling": ("fill_pooling",),
    "put": ("put",),
    "queries": ("queries",),
    "forget_column": ("forget_column",),
    "forget_ids": ("forget_ids",),
    "forget_task": ("forget_task",),
}
"""Logical name -> methods of Bank, newest first; where Bank has none of them, the function of PLACES gets the bank."""

FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("BankOptions", "compute"): ("compute",),
}
"""(class, field as the walk says it) -> fields, newest first; a field that is not listed has the name that it has."""

COMMANDS = {
    "encode": (("encode",),),
    "fit": (("fit",),),
    "predict": (("predict",),),
    "train multitask": (("multitask", "train"), ("trunk", "multitask")),
    "add prefix": (("prefix", "add"), ("trunk", "prefix", "add")),
    "replace prefix": (("prefix", "replace"), ("trunk", "prefix", "replace")),
    "train distilled": (("distill", "train"), ("trunk", "project")),
    "fill distilled": (("distill", "fill"), ("trunk", "fill")),
    "finetune": (("baseline", "finetune"),),
    "student": (("baseline", "student"),),
}
"""Logical command -> words of the command line, newest first."""

FLAGS: dict[str, tuple[str, ...]] = {}
"""Flag as the walk says it -> flags, newest first. With a command or flag that a side lacks, the next is tried."""

_MISUSED = 2
"""The exit status of a command line that was not understood."""


def get(name: str) -> Any:
    """The object of a logical name, from the first place that has it."""
    tried = []
    for place in PLACES[name]:
        module, _, attribute = place.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as fault:
            tried.append(f"{place} ({fault})")
    raise LookupError(f"{name} is at none of: {'; '.join(tried)}; add its new place to PLACES in {__file__}")


def make(name: str, **fields: Any) -> Any:
    """A settings object, by keyword only, under the field names that this side has."""
    kind = get(name)
    known = {field.name for field in dataclasses.fields(kind)}
    given = {}
    for field, value in fields.items():
        names = FIELDS.get((name, field), (field,))
        found = next((one for one in names if one in known), None)
        if found is None:
            raise LookupError(f"{name} has no field {' or '.join(names)}; add its new name to FIELDS in {__file__}")
        given[found] = value
    return kind(**given)


def call(name: str, bank: Any, *values: Any, **named: Any) -> Any:
    """A verb of an open bank: its method where there is one, otherwise the function that takes the bank."""
    for method in METHODS[name]:
        if hasattr(bank, method):
            return getattr(bank, method)(*values, **named)
    return get(name)(bank, *values, **named)


def groups_of(found: Any) -> list[dict[str, Any]]:
    """Rows of what a deduplication found."""
    return [
        {name: _plain(values)[at] for name, values in block.items()}
        for block in found.blocks()
        for at in range(len(block["id"]))
    ]


def encode_fake(path: Path, encoder: Any, columns: Sequence[str], blocks: Sequence[Any], **settings: Any) -> Any:
    """Encode blocks with a fake encoder into a bank's columns."""
    with get("Store")(path) as store:
        return get("encode_with")(store, encoder, columns, blocks, make("EncodeSettings", **settings))


def command(name: str, *words: Any) -> str:
    """Run a command of the command line in this process; what it printed."""
    flags = [FLAGS.get(str(word), (str(word),)) for word in words]
    tried = []
    for start in COMMANDS[name]:
        for chosen in itertools.product(*flags):
            code, out, err = _run([*start, *chosen])
            if code == 0:
                return out
            tried.append(f"embank {' '.join(start)}: exit status {code}: {err.strip()[-500:]}")
            if code != _MISUSED:
                raise RuntimeError(tried[-1])
    raise LookupError(f"{'; '.join(tried)}; add its new words to COMMANDS or FLAGS in {__file__}")


def json_of(name: str, *words: Any) -> list[Any]:
    """Run a command that prints JSON objects, one per line."""
    return [json.loads(line) for line in command(name, *words, "--json").splitlines() if line.strip()]


def _run(words: Sequence[str]) -> tuple[int, str, str]:
    before, out, err = sys.argv, io.StringIO(), io.StringIO()
    sys.argv = ["embank", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            get("main")()
    except SystemExit as stop:
        return stop.code or 0, out.getvalue(), err.getvalue()
    finally:
        sys.argv = before
    return 0, out.getvalue(), err.getvalue()


def _plain(values: Any) -> Any:
    return values.tolist() if hasattr(values, "tolist") else list(values)
