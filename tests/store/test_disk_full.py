"""A full disk stops a run with one error; what was committed stays whole, and the run completes once there is space."""

import builtins
import errno
import io
import os
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from embank.errors import StorageFullError
from embank.store.folder import Store
from embank.store.verify import verify
from embank.store.writing import Addition
from store.crashing import JOBS, Unsynced, fresh, orphans, state
from store.material import add, append, files, keys, rows

WRITING = ("encode", "put", "forget", "drop", "fit", "unfit", "merge", "add")
ONE = "fake/1/mean@float32"


class Quota:
    """A disk that takes so many more writes, and then none until it is freed."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.refused = 0

    def spend(self) -> bool:
        """Whether the disk takes one more."""
        self.left -= 1
        self.refused += self.left < 0
        return self.left >= 0

    def taking(self, function):
        """A system call that needs space."""

        def limited(*values, **named):
            if not self.spend():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(values[0]))
            return function(*values, **named)

        return limited

    def opening(self, opened):
        def limited(file, mode="r", *values, **named):
            if set(mode) & set("wax+") and not self.spend():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            return opened(file, mode, *values, **named)

        return limited

    def connection(self):
        quota = self

        class Connection(Unsynced):
            def execute(self, statement, *values):
                if (statement in ("COMMIT", "VACUUM") or "checkpoint" in statement) and not quota.spend():
                    full = sqlite3.OperationalError("database or disk is full")
                    full.sqlite_errorname = "SQLITE_FULL"  # as SQLite's own errors have it
                    raise full
                return super().execute(statement, *values)

        return Connection


@contextmanager
def limited_to(left):
    """Do something on such a disk."""
    quota = Quota(left)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", quota.taking(lambda _: None))
        for name in ("replace", "mkdir"):
            patch.setattr(os, name, quota.taking(getattr(os, name)))
        opened = quota.opening(io.open)
        patch.setattr(io, "open", opened)
        patch.setattr(builtins, "open", opened)
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=quota.connection()))
        yield quota


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    root = tmp_path_factory.mktemp("template") / "bank"
    with limited_to(1 << 30):
        JOBS["base"](root)
    return root


@pytest.mark.parametrize("job", WRITING)
@pytest.mark.parametrize("most", [60, pytest.param(100_000, marks=pytest.mark.faults)])
def test_a_disk_that_fills_up_at_any_step_stops_the_run_and_loses_nothing(template, tmp_path, job, most):
    root = fresh(template, tmp_path / "whole")
    with limited_to(1 << 30) as quota:
        JOBS[job](root)
    steps, before, after = (1 << 30) - quota.left, state(template), state(root)
    assert steps > 3
    every = range(steps) if steps < most else [*range(10), *range(10, steps, 5), steps - 1]
    for left in every:
        root = fresh(template, tmp_path / "bank")
        with limited_to(left) as quota, pytest.raises(StorageFullError, match=r"no space left .*free some space"):
            JOBS[job](root)
        assert quota.refused
        found = state(root)
        if job not in ("encode", "put"):
            assert found in (before, after)
        with limited_to(1 << 30):
            JOBS[job](root)
        assert state(root) == after, left
        with Store(root) as store:
            assert orphans(root, store) == set()


def test_a_bank_that_could_not_be_made_for_want_of_space_can_be_made_later(tmp_path):
    with limited_to(1 << 30) as quota:
        JOBS["create"](tmp_path / "whole")
    steps = (1 << 30) - quota.left
    assert steps > 4
    for left in range(steps):
        root = tmp_path / f"bank {left}"
        with limited_to(left), pytest.raises(StorageFullError):
            JOBS["create"](root)
        JOBS["create"](root)
        assert state(root) == {"": set(), "ids": set(), "bodies": set(), "tasks": {}}


def test_nothing_of_a_file_that_found_no_space_remains(store):
    with store.writer() as writer:
        add(writer, ONE)
        with limited_to(1), pytest.raises(StorageFullError, match=r"000000001\.npy"):
            append(writer, {ONE: 1}, range(3))
        assert files(store.root / "columns") == []
        append(writer, {ONE: 1}, range(3))
    assert verify(store) == []


def test_a_catalogue_that_may_not_grow_keeps_what_it_has(store):
    """SQLite's own limit on pages: the error is SQLite's, not a stand-in."""
    with store.writer() as writer:
        add(writer, ONE)
        append(writer, {ONE: 1}, range(100))
        store.catalogue._connection.execute("PRAGMA max_page_count = 40")
        with pytest.raises(StorageFullError, match=r"catalogue\.sqlite"):
            append(writer, {ONE: 1}, range(100, 10_000))
        assert store.catalogue.n_texts() == store.catalogue.next_text() == 100
        store.catalogue._connection.execute("PRAGMA max_page_count = 100000")
        append(writer, {ONE: 1}, range(100, 10_000))
    assert verify(store) == []
    np.testing.assert_array_equal(store.reader(ONE).gather(np.arange(10_000)), rows(range(10_000), 1))


@pytest.fixture
def small_disk(tmp_path):
    """Three megabytes of memory as a disk, a third of them taken."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    (disk / "ballast").write_bytes(bytes(1 << 20))
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S607 - wherever the system has it


def write_until_full(store: Store) -> int:
    """Append until there is no space; returns how many texts went in."""
    with store.writer() as writer:
        for start in range(0, 1 << 20, 500):
            writer.append(
                Addition(keys=keys(range(start, start + 500)), rows={ONE: rows(range(start, start + 500), 1)})
            )
    raise AssertionError


def test_a_disk_that_is_really_full_keeps_what_was_committed(small_disk):
    root = small_disk / "bank"
    with Store.create(root) as store:
        with store.writer() as writer:
            add(writer, ONE)
        with pytest.raises(StorageFullError):
            write_until_full(store)
        there = store.catalogue.n_texts()
        assert there > 500
        assert verify(store) == []
        np.testing.assert_array_equal(store.reader(ONE).gather(np.arange(there)), rows(range(there), 1))
        (small_disk / "ballast").unlink()
        with store.writer() as writer:
            more = range(there, there + 5000)
            assert append(writer, {ONE: 1}, more).tolist() == list(more)
        assert verify(store) == []
        np.testing.assert_array_equal(store.reader(ONE).gather(np.array(more)), rows(more, 1))
        assert orphans(root, store) == set()


def test_a_bank_on_a_full_disk_is_read_or_says_that_there_is_no_space(small_disk):
    root = small_disk / "bank"
    with Store.create(root) as store:
        with store.writer() as writer:
            add(writer, ONE)
            append(writer, {ONE: 1}, range(100))
        fill(small_disk)
        assert verify(store) == []
        np.testing.assert_array_equal(store.reader(ONE).gather(np.arange(100)), rows(range(100), 1))
        with pytest.raises(StorageFullError), store.writer():
            pass
    fill(small_disk)  # closing gave some back
    with pytest.raises(StorageFullError, match=r"catalogue\.sqlite"):
        Store(root)  # SQLite needs a little space to share the catalogue, even to read it
    (small_disk / "ballast").unlink()
    with Store(root) as store:
        assert verify(store) == []
        assert append_some(store) == 3


def append_some(store: Store) -> int:
    with store.writer() as writer:
        return len(append(writer, {ONE: 1}, range(100, 103)))


def fill(disk: Path) -> None:
    """Take all that is left."""
    with (disk / "ballast").open("ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as full:
            assert full.errno == errno.ENOSPC  # noqa: PT017 - it is how a disk says so
