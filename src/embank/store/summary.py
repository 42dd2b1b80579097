"""What a bank holds, in numbers: texts, columns, bytes, encoders, tasks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from embank.reports.sheet import Sheet, Table
from embank.reports.wording import MEASURES, counted, size
from embank.store import AUXILIARY, FORMAT_VERSION
from embank.store.cache import Auxiliary, auxiliary_files
from embank.store.folder import Store


@dataclass(kw_only=True, frozen=True)
class ColumnSummary:
    """A column: its name, how many texts have a row, the width of its vectors, its bytes on disk and bytes per row."""

    name: str
    rows: int
    width: int
    bytes: int
    row_bytes: int
    fingerprint: str


@dataclass(kw_only=True, frozen=True)
class TaskSummary:
    """A task: what it predicts and reads, how it scored on held-back rows, and when it was fitted.

    `measure` names the score that counts ("macro_f1" or "r2"); `stale` says why it cannot predict any more, or is "".
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    reads: str
    measure: str
    score: float
    baseline: float
    examples: int
    fitted_at: str
    chosen: Mapping[str, Any]
    stale: str


@dataclass(kw_only=True, frozen=True)
class EncoderSummary:
    """An encoder: where it comes from, its shape, how it reads, and what it was computed in."""

    name: str
    origin: str
    family: str
    width: int
    layers: int
    compute: str
    reading: Mapping[str, Any]


@dataclass(kw_only=True, frozen=True)
class BankSummary(Sheet):
    """A bank in numbers.

    Attributes:
        path: the folder.
        format: its format version.
        texts: distinct texts.
        ids: what users call them.
        kept_texts: how many texts are kept themselves.
        columns: in the order in which they came.
        encoders: by name.
        tasks: by name.
        auxiliary: files that can be made again: graphs, groups of near duplicates, lengths of vectors.
        bytes: on disk, by part: "columns", "catalogue", "tasks", "auxiliary", and "total".
        faults: rows of users' files that could not be encoded: source, position, id, reason.
    """

    path: str
    format: int
    texts: int
    ids: int
    kept_texts: int
    columns: tuple[ColumnSummary, ...]
    encoders: tuple[EncoderSummary, ...]
    tasks: tuple[TaskSummary, ...]
    auxiliary: tuple[Auxiliary, ...]
    bytes: Mapping[str, int]
    faults: tuple[tuple[str, int, Any, str], ...]

    def parts(self) -> Iterator[str | Table]:
        """What the bank holds, in words."""
        each = self.bytes["total"] / max(self.texts, 1)
        held = f"{counted(self.texts, 'text')}, {counted(self.ids, 'id')}, {size(self.bytes['total'])}"
        yield f"{self.path}: {held}, {each:,.0f} bytes per text"
        if self.kept_texts:
            yield f"the bank keeps {counted(self.kept_texts, 'text')} themselves (--keep-text)"
        rows = [
            [one.name, f"{one.rows:,}", str(one.width), str(one.row_bytes), size(one.bytes)] for one in self.columns
        ]
        yield Table(["column", "rows", "width", "bytes per row", "on disk"], rows, (1, 2, 3, 4))
        for encoder in self.encoders:
            reading = f"{encoder.reading.get('max_tokens', '')} tokens ({encoder.reading.get('long', 'cut')})"
            shape = f"{encoder.family}, {encoder.layers} layers, {encoder.width} wide"
            yield f"encoder {encoder.name}: {shape}, reads {reading}, from {encoder.origin}; {encoder.compute}"
        for task in self.tasks:
            yield f"task {task.name}: {task.kind}, validation {MEASURES[task.measure]} {task.score:.3f}"
        yield from self._made_again()
        if self.faults:
            yield f"{counted(len(self.faults), 'row')} could not be encoded; --json lists them"

    def _made_again(self) -> Iterator[str]:
        """A line for each folder of files that are made again when they are needed."""
        for folder in dict.fromkeys(one.folder for one in self.auxiliary):
            own = [one for one in self.auxiliary if one.folder == folder]
            counts = {state: sum(one.state == state for one in own) for state in ("current", "behind", "stale")}
            states = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
            yield f"{folder}: {counted(len(own), 'file')}, {size(sum(one.size for one in own))}, {states}"


def summarise(store: Store) -> BankSummary:
    """Count what a bank holds."""
    catalogue = store.catalogue
    columns = []
    for column in catalogue.columns().values():
        reader = store.reader(column.name)
        row_bytes = column.cells * int(column.dtype[-1])
        columns.append(
            ColumnSummary(
                name=column.name,
                rows=reader.n_rows,
                width=column.width,
                bytes=reader.n_bytes,
                row_bytes=row_bytes,
                fingerprint=column.recipe.fingerprint,
            )
        )
    encoders = tuple(
        EncoderSummary(
            name=name,
            origin=facts["origin"],
            family=facts["family"],
            width=facts["width"],
            layers=facts["layers"],
            compute=facts["compute"],
            reading={field: value for field, value in vars(reading).items() if value not in (None, "")},
        )
        for name, (reading, facts) in catalogue.encoders().items()
    )
    return BankSummary(
        path=str(store.root),
        format=FORMAT_VERSION,
        texts=catalogue.n_texts(),
        ids=catalogue.n_ids(),
        kept_texts=catalogue.body_counts()[0],
        columns=tuple(columns),
        encoders=encoders,
        tasks=tuple(summarise_tasks(store)),
        auxiliary=tuple(auxiliary_files(store)),
        bytes=_bytes(store),
        faults=tuple(tuple(fault) for fault in catalogue.faults()),
    )


def summarise_tasks(store: Store) -> list[TaskSummary]:
    """Every task with what it reads and how it scored."""
    columns = store.catalogue.columns()
    found = []
    for task in store.catalogue.tasks().values():
        record = task.record
        # A tail goes on without banked states: its encoder's lower layers compute them.
        gone = [name for name in record["columns"] if name not in columns and "states" not in record]
        changed = [
            name
            for name, fingerprint in record["columns"].items()
            if name in columns and columns[name].recipe.fingerprint != fingerprint
        ]
        stale = f"{gone[0]} is gone" if gone else f"{changed[0]} has changed" if changed else ""
        measure = record["measure"]
        found.append(
            TaskSummary(
                name=task.name,
                kind=record["kind"],
                labels=tuple(record["labels"]),
                columns=tuple(record["columns"]),
                reads=record["reads"],
                measure=measure,
                score=record["validation"][measure],
                baseline=record["baseline"][measure],
                examples=record["examples"],
                fitted_at=record["fitted_at"],
                chosen=record["chosen"],
                stale=stale,
            )
        )
    return found


def _bytes(store: Store) -> dict[str, int]:
    def below(folder: str) -> int:
        return sum(file.stat().st_size for file in (store.root / folder).rglob("*") if file.is_file())

    parts = {"columns": below("columns"), "tasks": below("tasks")}
    parts["catalogue"] = sum(file.stat().st_size for file in store.root.glob("catalogue.sqlite*"))
    parts["auxiliary"] = sum(below(folder) for folder in AUXILIARY)
    return {**parts, "total": sum(parts.values())}
