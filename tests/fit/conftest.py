"""Banks with texts, states and tails, made once and copied for each test."""

import shutil

import pytest

import embank
from material.tail_bank import (
    IDS,
    KEPT,
    PAIRS,
    TASKS,
    TEXTS,
    labelled,
)
from material.tails import (
    COLUMN,
    LINEAR,
    moods,
    options,
    save_tiny,
    settings,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="session")
def encoded(tmp_path_factory, folder):
    """A bank of texts with states and vectors, without tasks."""
    path = tmp_path_factory.mktemp("encoded") / "bank"
    with embank.Bank.create(path, options()) as bank:
        bank.encode(TEXTS, ids=IDS, columns=[COLUMN, LINEAR], encoder=str(folder))
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory, folder):
    """A bank that keeps its texts, with a tail of every kind and a linear head; and what it predicted when made."""
    path = tmp_path_factory.mktemp("made") / "bank"
    with embank.Bank.create(path, options(run=KEPT)) as bank:
        bank.encode(TEXTS, ids=IDS, columns=[COLUMN, LINEAR], encoder=str(folder))
        bank.fit("plain", moods(TEXTS), texts=TEXTS)
        for task, kind in TASKS.items():
            labels, texts = labelled(kind)
            bank.fit(task, labels, texts=texts, settings=settings(kind, epochs=8))
        return path, bank.predict(proba=True).to_pydict(), bank.predict(PAIRS[:20]).to_pydict()


@pytest.fixture
def copy(tmp_path):
    """Gives a copy of a bank, open; closed in the end."""
    opened = []

    def give(path, **given):
        target = tmp_path / f"bank{len(opened)}"
        shutil.copytree(path, target)
        opened.append(embank.Bank.open(target, options(**given)))
        return opened[-1]

    yield give
    for bank in opened:
        bank.close()


@pytest.fixture
def bank(copy, encoded):
    return copy(encoded)


@pytest.fixture
def fitted(copy, made):
    return copy(made[0])
