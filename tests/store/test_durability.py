"""What outlives a power cut: files are synced, renamed, their folder synced, and only then does the catalogue know."""

import os
import sqlite3
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from embank.store.compaction import forget_texts
from embank.store.folder import Store
from embank.store.writing import Addition
from store.material import add, append, rows

ONE, TWO = "fake/1/mean@float32", "fake/2/mean@float32"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names of synced files are read from /proc")


class Recorder:
    """What was asked of the system, in order: ("sync", path), ("rename", path), ("delete", path), ("commit", "")."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def at(self, what: str, name: str = "") -> int:
        return self.events.index((what, name))


@pytest.fixture
def recorded(monkeypatch):
    recorder = Recorder()
    sync, replace, unlink = os.fsync, os.replace, os.unlink

    def syncing(descriptor):
        recorder.events.append(("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        sync(descriptor)

    def replacing(source, target):
        replace(source, target)
        recorder.events.append(("rename", str(target)))

    def unlinking(path, **more):
        recorder.events.append(("delete", str(path)))
        unlink(path, **more)

    class Connection(sqlite3.Connection):
        def execute(self, statement, *values):
            found = super().execute(statement, *values)
            if statement == "COMMIT":
                recorder.events.append(("commit", ""))
            return found

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "replace", replacing)
    monkeypatch.setattr(os, "unlink", unlinking)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))
    return recorder


def assert_durable(recorder: Recorder, path: Path, until: int) -> None:
    synced, renamed = recorder.at("sync", f"{path}.pending"), recorder.at("rename", str(path))
    folder = recorder.events.index(("sync", str(path.parent)), renamed)
    assert synced < renamed < folder < until


def test_files_are_safe_before_the_catalogue_knows_them(tmp_path, recorded):
    root = tmp_path / "bank"
    with Store.create(root) as store, store.writer() as writer:
        assert_durable(recorded, root / "embank.json", len(recorded.events))
        recorded.events.clear()
        one, two = add(writer, ONE), add(writer, TWO)
        assert recorded.events.count(("sync", str(root / "columns"))) == 2
        recorded.events.clear()
        append(writer, {ONE: 1, TWO: 2}, range(5))
        for column, number in ((one, 1), (two, 2)):
            assert_durable(recorded, root / column.folder / f"{number:09d}.npy", recorded.at("commit"))
        recorded.events.clear()
        append(writer, {}, range(5, 10))
        known = np.array([5, 8])
        recorded.events.clear()
        writer.append(Addition(known=known, rows={ONE: rows(known, 1)}))
        for name in ("000000003.npy", "000000003.texts.npy"):
            assert_durable(recorded, root / one.folder / name, recorded.at("commit"))


def test_old_files_go_after_the_catalogue_has_let_go_of_them(tmp_path, recorded):
    root = tmp_path / "bank"
    with Store.create(root) as store, store.writer() as writer:
        column = add(writer, ONE)
        append(writer, {ONE: 1}, range(5))
        recorded.events.clear()
        forget_texts(writer, [store.reader(ONE)], np.array([2]))
        assert_durable(recorded, root / column.folder / "000000002.npy", recorded.at("commit"))
        assert recorded.at("commit") < recorded.at("delete", str(root / column.folder / "000000001.npy"))


def test_a_tasks_files_are_safe_before_the_catalogue_knows_them(tmp_path, recorded):
    root = tmp_path / "bank"
    with Store.create(root) as store, store.writer() as writer:
        writer.set_task("topic", {}, {"head": b"old"})
        recorded.events.clear()
        task = writer.set_task("topic", {}, {"head": b"new"})
        last = max(at for at, event in enumerate(recorded.events) if event[0] == "commit")
        assert_durable(recorded, root / task.parts[0].file, last)
        assert recorded.events.count(("sync", str(root / "tasks"))) == 1
        (deleted,) = [at for at, event in enumerate(recorded.events) if event[0] == "delete"]
        assert last < deleted


def test_the_catalogue_syncs_its_commits(store):
    full = 2
    assert store.catalogue._connection.execute("PRAGMA synchronous").fetchone() == (full,)
    assert store.catalogue._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
