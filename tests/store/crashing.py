"""What is killed on purpose: jobs on a bank, and a server that forks a child for each and has it die at a chosen step.

A step is anything that outlives the process: a sync, a rename, a deletion, a new folder, a commit, a vacuum. A child
counts an instant before and one after each. `python crashing.py` reads one JSON command a line and answers each.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from embank.codecs import calibrate
from embank.encode import TextBlock, columns
from embank.encode.columns import enter_column, readout_of
from embank.encode.external import put_vectors
from embank.encode.options import EncodeSettings
from embank.encoders import Readout
from embank.recipe import ColumnName
from embank.samples import messages
from embank.store.compaction import forget_texts, merge_small
from embank.store.folder import Store, is_bank
from embank.store.vectors import codec_of
from embank.store.verify import verify
from embank.store.writing import Addition
from embank.testing import FakeEncoder, encode_with
from embank.texts import text_key

TEXTS = [f"text {number} of {['cats', 'dogs', 'law'][number % 3]}" for number in range(64)]
OLD, NEW, GIVEN = TEXTS[:24], TEXTS[12:40], TEXTS[30:]
FIRST, SECOND, BITS, MINE = "fake/2/mean@float32", "fake/3/max@int8", "fake/2/mean@binary", "mine/0/own@int8"
SETTINGS = EncodeSettings(window=16, segment_bytes=1000, keep_text=True)
FORGOTTEN = TEXTS[3:20:2]
READOUT = Readout(2, "mean")
TASK = "topic"


def begin(root: Path) -> None:
    """The first column of an encoder."""
    with Store(root) as store:
        encode_with(store, FakeEncoder(), [FIRST], [block(OLD[:2])], SETTINGS)


def begin_given(root: Path) -> None:
    """The first column of vectors made elsewhere."""
    with Store(root) as store:
        put_vectors(store, ColumnName.parse(MINE), OLD[:2], given(OLD[:2]), None)


def base(root: Path) -> None:
    """A bank with texts in two columns, many small segments, a given column and a task."""
    encoder = FakeEncoder()
    with Store.create(root) as store:
        encode_with(store, encoder, [FIRST], [block(OLD)], SETTINGS)
        encode_with(store, encoder, [SECOND], [block(OLD[6:18])], SETTINGS)
        put_vectors(store, ColumnName.parse(MINE), OLD[:8], given(OLD[:8]), None)
        with store.writer() as writer:
            for start in range(52, 64):
                rows = {FIRST: vectors(TEXTS[start : start + 1])}
                writer.append(Addition(keys=[text_key(TEXTS[start])], rows=rows, ids=[(0, start)]))
            writer.set_task(TASK, {"columns": [FIRST]}, {"head.json": b"{}", "head.safetensors": b"old"})


def block(texts: list[str]) -> TextBlock:
    """Texts with their ids."""
    return TextBlock("texts", 0, texts, ids=[TEXTS.index(text) for text in texts])


def vectors(texts: list[str]) -> np.ndarray:
    """What the fake encoder gives."""
    return np.stack([FakeEncoder().vector_of(text, READOUT) for text in texts])


def given(texts: list[str]) -> np.ndarray:
    """Vectors made elsewhere."""
    return np.stack([FakeEncoder(width=24).vector_of(text, Readout(1, "first")) for text in texts])


def create(root: Path) -> None:
    """Make the bank where it is not whole yet."""
    if not is_bank(root):
        Store.create(root).close()


def encode(root: Path) -> None:
    """New texts, texts that lack a column, and texts that lack nothing."""
    with Store(root) as store:
        encode_with(store, FakeEncoder(), [FIRST, SECOND, BITS], [block(NEW)], SETTINGS, tell)


def put(root: Path) -> None:
    """New texts, and texts that lack the column."""
    with Store(root) as store:
        put_vectors(store, ColumnName.parse(MINE), GIVEN, given(GIVEN), list(range(30, 64)))


def forget(root: Path) -> None:
    """Texts that stand in several segments of several columns."""
    with Store(root) as store, store.writer() as writer:
        numbers = store.catalogue.lookup([text_key(text) for text in FORGOTTEN])
        forget_texts(writer, [store.reader(name) for name in store.catalogue.columns()], numbers[numbers >= 0])


def drop(root: Path) -> None:
    """A column with a calibration."""
    with Store(root) as store, store.writer() as writer:
        if SECOND in store.catalogue.columns():
            writer.drop_column(SECOND)


def fit(root: Path) -> None:
    """A task that was there."""
    with Store(root) as store, store.writer() as writer:
        writer.set_task(TASK, {"columns": [FIRST, SECOND]}, {"head.json": b"[]", "head.safetensors": b"newer"})


def unfit(root: Path) -> None:
    """The task goes."""
    with Store(root) as store, store.writer() as writer:
        if TASK in store.catalogue.tasks():
            writer.drop_task(TASK)


def merge(root: Path) -> None:
    """More small segments than stay small."""
    with Store(root) as store, store.writer() as writer:
        merge_small(writer, store.reader(FIRST))


def add(root: Path) -> None:
    """A column with a calibration, still empty."""
    name = ColumnName.parse("fake/2/mean+unit@binary")
    with Store(root) as store, store.writer() as writer:
        if str(name) not in store.catalogue.columns():
            enter_column(writer, name, FakeEncoder().reading, calibrate("binary", vectors(TEXTS)))


JOBS: dict[str, Callable[[Path], None]] = {
    job.__name__: job for job in (base, begin, begin_given, create, encode, put, forget, drop, fit, unfit, merge, add)
}


AT_REST = {"embank.json", "catalogue.sqlite", "lock"}


def of_column(name: str, texts: list[str]) -> np.ndarray:
    """The vectors that a column should have."""
    if name == MINE:
        return given(texts)
    readout = readout_of(ColumnName.parse(name))
    return np.stack([FakeEncoder().vector_of(text, readout) for text in texts])


def contents(store: Store) -> dict[str, set[str]]:
    """Which texts each column has, after all its bytes were found to be those that the encoder gives."""
    known = {text_key(text): text for text in TEXTS}
    numbers, keys = store.catalogue.numbered_keys()
    texts = {number: known[key.tobytes()] for number, key in zip(numbers.tolist(), keys, strict=True)}
    found = {"": set(texts.values())}
    for name, column in store.catalogue.columns().items():
        reader = store.reader(name)
        covered = reader.covered()
        own = [texts[number] for number in covered.tolist()]
        if own:
            expected = codec_of(store, column).encode(of_column(name, own))
            np.testing.assert_array_equal(reader.gather(covered), expected)
        found[name] = set(own)
    ids = store.catalogue.ids_between(0, 1 << 40)
    assert all(texts[number] == TEXTS[name] for number, name in ids)
    found["ids"] = {TEXTS[name] for _, name in ids}
    found["bodies"] = {texts[number] for number, _ in store.catalogue.bodies()}
    return found


def orphans(root: Path, store: Store) -> set[str]:
    """Files that nothing speaks of."""
    catalogue = store.catalogue
    listed = {part.file for segment in catalogue.segments() for part in segment.parts}
    listed |= {column.calibration.file for column in catalogue.columns().values() if column.calibration}
    listed |= {part.file for task in catalogue.tasks().values() for part in task.parts}
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    beside = {f"catalogue.sqlite-{kind}" for kind in ("wal", "shm")}  # open just now
    return there - listed - AT_REST - beside


def state(root: Path) -> dict:
    """All that a bank has, after it was found to be whole."""
    with Store(root) as store:
        assert verify(store) == []
        tasks = {name: task.record for name, task in store.catalogue.tasks().items()}
        return contents(store) | {"tasks": tasks}


class Unsynced(sqlite3.Connection):
    """SQLite without waiting for the disk: the process dies here, not the machine."""

    def execute(self, statement, *values):
        if statement.startswith("PRAGMA synchronous ="):
            statement = "PRAGMA synchronous = OFF"
        return super().execute(statement, *values)


class Steps:
    """Counts instants in a child, tells the parent of each, and dies at the chosen one."""

    def __init__(self, last: int, pipe: int) -> None:
        self.last, self.pipe, self.count = last, pipe, 0

    def instant(self) -> None:
        self.count += 1
        os.write(self.pipe, b".")
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function):
        def stepped(*values, **named):
            self.instant()
            try:
                return function(*values, **named)
            finally:
                self.instant()

        return stepped

    def connection(self) -> type[sqlite3.Connection]:
        steps = self

        class Connection(Unsynced):
            def execute(self, statement, *values):
                if statement in ("COMMIT", "VACUUM") or "checkpoint" in statement:
                    return steps.around(super().execute)(statement, *values)
                os.write(steps.pipe, b".")
                return super().execute(statement, *values)

        return Connection


_steps: Steps | None = None


def tell(_report) -> None:
    """Another instant, where a parent counts them."""
    if _steps:
        os.write(_steps.pipe, b".")


def child(command: dict, pipe: int) -> None:
    """Do one job, and never return."""
    global _steps  # noqa: PLW0603 - a process of its own
    _steps = steps = Steps(command["last"], pipe)
    os.fsync = steps.around(lambda _: None)
    for name in ("replace", "unlink", "mkdir", "rmdir"):
        setattr(os, name, steps.around(getattr(os, name)))
    columns.messages = lambda: messages()[:32]  # a calibration on all of them is most of a job's time
    sqlite3.connect = partial(sqlite3.connect, factory=steps.connection())
    code = 1
    try:
        JOBS[command["job"]](Path(command["root"]))
        code = 0
    except BaseException:  # noqa: BLE001 - told to whoever reads the test's output
        traceback.print_exc()
    os._exit(code)


def serve() -> None:
    """Fork a child for every command; kill it after so many instants where the command says so."""
    encoder = FakeEncoder()
    for text in (*messages(), *TEXTS):
        for layer in (2, 3):
            encoder.vector_of(text, Readout(layer, "mean"))  # every child finds them remembered
    for line in sys.stdin:
        command = json.loads(line)
        ours, theirs = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(ours)
            child(command, theirs)
        os.close(theirs)
        told = 0
        while piece := os.read(ours, 1 if command["after"] else 65536):
            told += len(piece)
            if command["after"] and told >= command["after"]:
                os.kill(pid, signal.SIGKILL)
                break
        os.close(ours)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status), "told": told}) + "\n")
        sys.stdout.flush()


class Killer:
    """A server of such children, asked from a test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, job: str, root: Path, *, last: int = 0, after: int = 0) -> bool:
        """Do a job; say whether the child was killed before its end.

        Args:
            last: the instant at which it dies of itself, 0 for never.
            after: how many instants its parent waits for before killing it, at whatever it does then.
        """
        print(json.dumps({"job": job, "root": str(root), "last": last, "after": after}), file=self._process.stdin)
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())["code"]
        assert code in (0, -signal.SIGKILL), f"{job} failed at {last or after}"
        return code != 0


@contextmanager
def killer():
    """Start the server, and stop it."""
    command = [sys.executable, str(Path(__file__).resolve())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Killer(process)
        process.stdin.close()


def fresh(template: Path, root: Path) -> Path:
    """A copy of a bank, in place of the one before."""
    shutil.rmtree(root, ignore_errors=True)
    if template.exists():
        shutil.copytree(template, root)
    return root


if __name__ == "__main__":
    serve()
