"""Writers are killed at every durable step and at random instants: nothing committed is lost, nothing is ever half."""

import os
import random
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from embank.errors import UsageError
from embank.store.folder import Store, is_bank
from material.seeds import seeds
from store.crashing import (
    BITS,
    FIRST,
    FORGOTTEN,
    JOBS,
    MINE,
    NEW,
    SECOND,
    TASK,
    Unsynced,
    fresh,
    killer,
    orphans,
    state,
)

WRITING = ("encode", "put", "forget", "drop", "fit", "unfit", "merge", "add")


@pytest.fixture(scope="module", autouse=True)
def _nothing_waits_for_the_disk():
    """Processes die here, not the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Unsynced))
        yield


@pytest.fixture(scope="module")
def server():
    with killer() as process:
        yield process


@pytest.fixture(scope="module")
def template(tmp_path_factory, server) -> Path:
    root = tmp_path_factory.mktemp("template") / "bank"
    assert not server.run("base", root)
    return root


def finished(server, job: str, root: Path) -> dict:
    """The bank after the job was done again, by a process that nobody kills."""
    assert not server.run(job, root)
    found = state(root)
    with Store(root) as store:
        assert orphans(root, store) == set()
    return found


@pytest.mark.parametrize("job", WRITING)
def test_a_writer_killed_at_any_durable_step_leaves_a_whole_bank_that_the_next_run_completes(
    server, template, tmp_path, job
):
    before = state(template)
    after = finished(server, job, fresh(template, tmp_path / "whole"))
    states = []
    step, killed = 0, True
    while killed:
        step += 1
        root = fresh(template, tmp_path / "bank")
        killed = server.run(job, root, last=step)
        states.append(state(root))
        assert finished(server, job, root) == after, f"killed at instant {step}"
    assert step > 5
    assert states[0] == before
    assert states[-1] == after
    sizes = [sum(map(len, found.values())) for found in states]
    assert sizes == sorted(sizes, reverse=sizes[0] > sizes[-1])  # what was committed stays so
    filled = {"encode": (FIRST, SECOND, BITS, "ids", "bodies"), "put": (MINE, "ids")}.get(job, ())
    for found in states:  # a new text comes with all its rows, its ids and its body, or not at all
        assert all(found[""] - before[""] <= found.get(name, set()) for name in filled)
    if not filled:  # to forget is all or nothing, in all columns alike; so are the others
        assert all(found in (before, after) for found in states)


def test_a_bank_whose_making_was_killed_can_be_made_again(server, tmp_path):
    step, killed = 0, True
    while killed:
        step += 1
        root = fresh(tmp_path / "nothing", tmp_path / "bank")
        killed = server.run("create", root, last=step)
        if is_bank(root):
            state(root)
        assert finished(server, "create", root) == {"": set(), "ids": set(), "bodies": set(), "tasks": {}}
    assert step > 5


@pytest.mark.parametrize(("job", "encoder"), [("begin", "fake"), ("begin_given", "mine")])
def test_an_encoder_is_known_to_the_bank_as_soon_as_it_has_a_column(server, tmp_path, job, encoder):
    """Without it, a later run cannot see that an encoder of that name reads differently."""
    step, killed = 0, True
    while killed:
        step += 1
        root = fresh(tmp_path / "nothing", tmp_path / "bank")
        assert not server.run("create", root)
        killed = server.run(job, root, last=step)
        assert not server.run(job, root)
        with Store(root) as store:
            assert encoder in store.catalogue.encoders(), f"killed at instant {step}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(40, faults=1000))
def test_a_writer_killed_at_a_random_instant_leaves_a_whole_bank_that_the_next_run_completes(
    server, template, tmp_path, seed
):
    draw = random.Random(seed)
    job = draw.choice(["encode", "encode", "encode", "put", "forget", "merge"])
    after = finished(server, job, fresh(template, tmp_path / "whole"))
    root = fresh(template, tmp_path / "bank")
    while server.run(job, root, after=draw.randint(1, 400)):
        state(root)
        if draw.random() < 0.3:
            break
    assert finished(server, job, root) == after


def test_the_jobs_do_what_their_names_say(server, template, tmp_path):
    before = state(template)
    found = {job: finished(server, job, fresh(template, tmp_path / job)) for job in WRITING}
    assert found["encode"][BITS] >= set(NEW)
    assert found["encode"][FIRST] >= set(NEW)
    assert found["put"][MINE] > before[MINE]
    assert not found["forget"][""] & set(FORGOTTEN)
    assert SECOND not in found["drop"]
    assert found["fit"]["tasks"] != before["tasks"]
    assert TASK not in found["unfit"]["tasks"]
    assert set(found["add"]) - set(before) == {"fake/2/mean+unit@binary"}
    with Store(tmp_path / "merge") as merged, Store(template) as many:
        assert merged.reader(FIRST).covered().tolist() == many.reader(FIRST).covered().tolist()
        column = many.column(FIRST).number
        assert len(merged.catalogue.segments(column)) < len(many.catalogue.segments(column))


def interrupted(root, monkeypatch, commit: int) -> BaseException | None:
    """Encode, with Ctrl-C pressed while commit number `commit` was under way: Python tells of it right after."""
    left = [commit]

    class Connection(Unsynced):
        def execute(self, statement, *values):
            found = super().execute(statement, *values)
            if statement == "COMMIT":
                left[0] -= 1
                if not left[0]:
                    raise KeyboardInterrupt
            return found

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))
        try:
            JOBS["encode"](root)
        except (KeyboardInterrupt, UsageError) as error:
            return error
    return None


def test_an_interrupt_during_a_commit_writes_nothing_twice(server, template, tmp_path, monkeypatch):
    after = finished(server, "encode", fresh(template, tmp_path / "whole"))
    commit = 0
    error: BaseException | None = KeyboardInterrupt()
    while error:
        commit += 1
        root = fresh(template, tmp_path / "bank")
        error = interrupted(root, monkeypatch, commit)
        state(root)
        assert finished(server, "encode", root) == after, commit
    assert commit > 5


def test_an_interrupt_during_a_commit_comes_out_as_an_interrupt(template, tmp_path, monkeypatch):
    commit = 0
    error: BaseException | None = KeyboardInterrupt()
    while error:
        commit += 1
        error = interrupted(fresh(template, tmp_path / "bank"), monkeypatch, commit)
        assert error is None or isinstance(error, KeyboardInterrupt), commit
