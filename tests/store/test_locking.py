"""One writer at a time, with a message that says who; readers are never blocked; a dead writer holds nothing."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import numpy as np
import pytest
from filelock import FileLock

from embank.errors import BankLockedError
from embank.store.folder import Store
from embank.store.verify import verify
from embank.store.writing import writer_lock
from store.material import add, append, keys, rows

ONE = "fake/1/mean@float32"
HOLDER = """
import sys
from pathlib import Path
from embank.store.writing import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(root):
    """Another process that holds the lock until it is told to let go, or killed."""
    command = [sys.executable, "-c", HOLDER, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.stdin.close()
            process.wait()


def write(store, texts):
    with store.writer() as writer:
        return append(writer, {}, texts)


def test_a_second_writer_is_told_which_process_holds_the_bank(store):
    with holder(store.root) as process:
        with pytest.raises(BankLockedError, match=rf"bank is being written by process {process.pid}: wait until"):
            write(store, range(3))
        assert store.catalogue.n_texts() == 0
    assert len(write(store, range(3))) == 3


def test_a_second_writer_in_the_same_process_is_refused_too(store):
    with store.writer(), Store(store.root) as other:
        with pytest.raises(BankLockedError, match=f"process {os.getpid()}"):
            write(other, range(3))
        with pytest.raises(BankLockedError, match=f"process {os.getpid()}"):
            write(store, range(3))
    assert len(write(store, range(3))) == 3


def test_a_refused_writer_does_not_take_the_holders_name_away(store):
    with store.writer():
        for _ in range(2):
            with pytest.raises(BankLockedError, match=f"process {os.getpid()}"), writer_lock(store.root):
                pass
        assert (store.root / "lock.holder").read_text() == f"process {os.getpid()}\n"
    assert not (store.root / "lock.holder").exists()


@pytest.mark.parametrize("name", [None, ""])
def test_a_holder_that_left_no_name_is_another_process(store, name):
    lock = FileLock(store.root / "lock")
    with lock:
        if name is not None:
            (store.root / "lock.holder").write_text(name)
        with pytest.raises(BankLockedError, match="written by another process: wait"):
            write(store, range(3))


def test_the_lock_is_free_after_an_exception(store):
    def fail_after_three_texts():
        with store.writer() as writer:
            append(writer, {}, range(3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_three_texts()
    assert not (store.root / "lock.holder").exists()
    assert store.catalogue.n_texts() == 3
    assert write(store, range(3, 5)).tolist() == [3, 4]


def test_a_transaction_that_fails_leaves_nothing(store):
    def fail_before_the_commit():
        with store.catalogue.transaction():
            store.catalogue.add_texts(keys(range(3)))
            raise ZeroDivisionError

    with store.writer() as writer:
        with pytest.raises(ZeroDivisionError):
            fail_before_the_commit()
        assert store.catalogue.n_texts() == store.catalogue.next_text() == 0
        assert append(writer, {}, range(3)).tolist() == [0, 1, 2]


def test_the_lock_is_free_after_its_holder_was_killed(store):
    with holder(store.root) as process:
        process.kill()
        process.wait()
        assert (store.root / "lock.holder").read_text() == f"process {process.pid}\n"
        assert len(write(store, range(3))) == 3
    assert not (store.root / "lock.holder").exists()


def test_a_reader_is_not_blocked_while_a_writer_is_in_a_transaction(store):
    with store.writer() as writer:
        add(writer, ONE)
        append(writer, {ONE: 1}, range(5))
        with store.catalogue.transaction():
            store.catalogue.add_texts(keys(range(5, 9)))
            with Store(store.root) as other:
                other.catalogue._connection.execute("PRAGMA busy_timeout = 0")  # to wait is to fail
                assert other.catalogue.n_texts() == 5
                assert other.catalogue.lookup(keys(range(4, 7))).tolist() == [4, -1, -1]
                np.testing.assert_array_equal(other.reader(ONE).gather(np.arange(5)), rows(range(5), 1))
                assert verify(other) == []
        with Store(store.root) as other:
            assert other.catalogue.n_texts() == 9


def test_a_writer_is_not_blocked_while_a_reader_is_in_a_transaction(store):
    store.catalogue._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(store.root / "catalogue.sqlite", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM texts").fetchone() == (0,)
        write(store, range(5))
        assert reader.execute("SELECT count(*) FROM texts").fetchone() == (0,)
    assert store.catalogue.n_texts() == 5


def test_a_snapshot_does_not_see_what_is_committed_meanwhile(store):
    write(store, range(3))
    with store.catalogue.snapshot(), Store(store.root) as other:
        assert store.catalogue.n_texts() == 3
        other.catalogue._connection.execute("PRAGMA busy_timeout = 0")
        write(other, range(3, 7))
        assert store.catalogue.n_texts() == 3
    assert store.catalogue.n_texts() == 7
