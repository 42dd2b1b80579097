"""Leave one task out: what a trunk does for it, beside the raw encoder and a trunk that has seen it."""

import json

import pytest

from embank.errors import UsageError
from embank.evaluate.transfer import Target, TransferSettings, evaluate_transfer, frozen_score, without_texts
from embank.fit.source_tasks import Source
from embank.labels.kinds import APART
from embank.multitask.folder import save_multitask
from embank.multitask.train import train_shared
from material.multitask import TEXTS, opened, pairs, settings
from material.tails import moods, options, sizes, tags, texts_of, topics

TEST = texts_of(30, start=100)


def targets():
    return [
        Target(Source(name="mood", texts=TEXTS, labels=moods(TEXTS)), (TEST, moods(TEST))),
        Target(Source(name="topics", texts=TEXTS, labels=topics(TEXTS), kind="multi"), (TEST, topics(TEST))),
        Target(Source(name="size", texts=TEXTS, labels=sizes(TEXTS), kind="regression")),
    ]


def asked(folder, **given):
    return TransferSettings(encoder=str(folder), options=options(), **given)


@pytest.fixture
def make(folder):
    """Trains trunks, and remembers on which sources."""
    made = []

    def train(sources, out):
        made.append([source.name for source in sources])
        encoder = opened(folder)
        save_multitask(encoder, train_shared(encoder, sources, settings(epochs=1)).report, out)

    train.made = made
    return train


def test_each_task_is_left_out_in_turn_and_a_trunk_on_all_is_trained_once(folder, make, tmp_path):
    found = evaluate_transfer(targets(), [["mood"], ["size"]], make, asked(folder), tmp_path / "work")
    assert make.made == [["mood", "topics", "size"], ["topics", "size"], ["mood", "topics"]]
    assert [(one.task, one.measure) for one in found] == [("mood", "macro_f1"), ("size", "r2")]
    assert all(one.seen is not None for one in found)
    assert found[0].rows == (48, 30)
    assert sum(found[1].rows) == 48


def test_what_is_finished_is_not_done_again(folder, make, tmp_path):
    first = evaluate_transfer(targets(), [["mood"]], make, asked(folder, seen=False), tmp_path / "work")
    again = evaluate_transfer(targets(), [["mood"]], make, asked(folder, seen=False), tmp_path / "work")
    assert make.made == [["topics", "size"]]
    assert first == again
    assert first[0].seen is None
    assert not (tmp_path / "work" / "bank").exists()


def test_a_score_of_another_precision_is_another_score(folder, make, tmp_path):
    for codec in ("float16", "binary"):
        evaluate_transfer(targets(), [["mood"]], make, asked(folder, seen=False, codec=codec), tmp_path / "work")
    kept = {path.stem for path in (tmp_path / "work" / "scores").iterdir()}
    assert len(kept) == 4
    assert all(0 <= json.loads(path.read_text())[1] <= 1 for path in (tmp_path / "work" / "scores").iterdir())


def test_tasks_that_are_left_out_together_are_in_no_trunk_of_that_group(folder, make, tmp_path):
    found = evaluate_transfer(targets(), [["mood", "topics"]], make, asked(folder, seen=False), tmp_path / "work")
    assert make.made == [["size"]]
    assert [one.task for one in found] == ["mood", "topics"]


def test_no_source_reads_a_text_that_the_left_out_task_is_scored_on(folder, tmp_path):
    seen = []

    def make(sources, out):
        seen.extend(text for source in sources for text in source.texts)
        encoder = opened(folder)
        save_multitask(encoder, train_shared(encoder, sources, settings(epochs=1)).report, out)

    other = Source(
        name="topics", texts=[*TEXTS, TEST[0].upper() + " !"], labels=topics([*TEXTS, TEST[0]]), kind="multi"
    )
    evaluate_transfer(
        [targets()[0], Target(other, (TEST, topics(TEST)))], [["mood"]], make, asked(folder, seen=False), tmp_path / "w"
    )
    assert seen == list(TEXTS)


def test_halves_of_pairs_and_lists_of_words_count_as_texts():
    source = Source(name="pairs", texts=[("A cat.", "a dog"), ("a bird", "a fish")], labels=[0, 1])
    tags = Source(name="tags", texts=[["a", "cat"], ["a", "bird"]], labels=[["O", "O"], ["O", "O"]])
    assert without_texts(Target(source), {"acat"}).source.texts == [("a bird", "a fish")]
    assert without_texts(Target(tags), {"acat"}).source.labels == [["O", "O"]]


def test_rows_that_are_set_aside_are_not_trained_on():
    target = targets()[2].divided(seed=0)
    train, test = set(target.source.texts), set(target.test[0])
    assert not train & test
    assert train | test == set(TEXTS)
    assert len(target.source.texts) == len(target.source.labels)


def test_a_text_that_stands_twice_is_on_one_side():
    doubled = Target(Source(name="mood", texts=TEXTS * 2, labels=moods(TEXTS) * 2)).divided(seed=1)
    assert not set(doubled.source.texts) & set(doubled.test[0])


@pytest.mark.parametrize("kind", ["single", "multi", "regression", "tagging", "apart"])
def test_every_kind_is_scored_on_frozen_columns(folder, tmp_path, kind):
    both, alike = pairs(TEXTS)
    source = {
        "single": Source(name="t", texts=TEXTS, labels=moods(TEXTS)),
        "multi": Source(name="t", texts=TEXTS, labels=topics(TEXTS), kind="multi"),
        "regression": Source(name="t", texts=TEXTS, labels=sizes(TEXTS), kind="regression"),
        "tagging": Source(name="t", texts=[text.split() for text in TEXTS], labels=tags(TEXTS), kind="tagging"),
        "apart": Source(name="t", texts=both, labels=alike, reads=APART),
    }[kind]
    measure, score = frozen_score(tmp_path / "bank", str(folder), Target(source).divided(0), asked(folder))
    assert measure == {"regression": "r2", "tagging": "entity_f1"}.get(kind, "macro_f1")
    assert score > {"single": 0.3, "multi": 0.3, "tagging": 0.05}.get(kind, -1)


def test_what_cannot_be_left_out_is_refused(folder, make, tmp_path):
    with pytest.raises(UsageError, match="unknown source 'moods'; choose from: mood, topics, size"):
        evaluate_transfer(targets(), [["moods"]], make, asked(folder), tmp_path)
    with pytest.raises(UsageError, match="leaves no source"):
        evaluate_transfer(targets()[:1], [["mood"]], make, asked(folder, seen=False), tmp_path)
    with pytest.raises(UsageError, match="no test rows"):
        frozen_score(tmp_path / "bank", str(folder), Target(targets()[2].source), asked(folder))
