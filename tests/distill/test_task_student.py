"""Distillation as a whole: students of every kind learn, every loss is used, and what was killed goes on."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

import embank
from embank.distill import task_loss as student_module
from embank.distill import task_student as students
from embank.distill.task_settings import StudentSettings
from embank.distill.task_student import DistillCheckpoints, distil
from embank.errors import HeadError, UsageError
from embank.fit.finetune import FineTuneData, finetune
from embank.labels.read import read_labels
from material.baselines import KINDS, LOOP, opened, rows
from material.tails import save_tiny, texts_of

LONG = embank.TrainingSettings(epochs=10, batch=8, rate=2e-3, patience=10)
MANY = 120


class Killed(Exception):  # noqa: N818 - stands for a signal
    pass


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


def outcome(tuned):
    """What a training came to, without what clocks say."""
    told = asdict(tuned.report)
    told.pop("seconds")
    told["chosen"] = {name: value for name, value in told["chosen"].items() if "seconds" not in name}
    return told, tuned.test


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_of_every_kind_beats_guessing(folder, kind):
    made = distil(opened(folder), rows(kind, MANY), LONG)
    for one, name in ((made.teacher, "teacher"), (made.student, "student")):
        report = one.report
        assert report.task == name
        assert report.validation[report.measure] > report.baseline[report.measure] + 0.1
        assert one.test[report.measure] > report.baseline[report.measure]
        assert one.texts_per_second > 0
        assert report.chosen["training seconds"] >= 0
    assert made.student.report.chosen["layers"] == "0, 3 of 0 to 3"
    assert made.student.report.chosen["head"] == "distilled student"


def test_the_teacher_is_what_finetune_gives(folder, tmp_path):
    alone = finetune(opened(folder), rows("single"), LOOP, tmp_path / "teacher")
    steps, keep = [], DistillCheckpoints(tmp_path / "teacher", tmp_path / "student")
    made = distil(opened(folder), rows("single"), LOOP, checkpoints=keep, watch=lambda now: steps.append(now.step))
    report, test = outcome(made.teacher)
    assert (report | {"task": "baseline"}, test) == outcome(alone)
    assert steps == list(range(1, 7))  # the teacher's checkpoint was finished: only the student was trained


def test_a_student_learns_from_its_teacher_alone(folder):
    made = distil(opened(folder), rows("single", MANY), LONG, StudentSettings(label_weight=0.0, hidden_weight=0.0))
    report = made.student.report
    assert report.validation["macro_f1"] > report.baseline["macro_f1"] + 0.2


def test_a_student_agrees_with_a_teacher_of_other_labels_more_where_the_teacher_counts_more(folder, monkeypatch):
    """The teacher learns that all is the other way round: only its outputs can tell the student."""
    data = rows("single", MANY)
    wrong = read_labels(["bad" if mood == "good" else "good" for mood in data.labels.values], "single", data.texts)
    train_encoder = students.train_encoder

    def misled(task, settings, checkpoint, watch):
        other = replace(task.objective, y=np.array(wrong.values)[task.examples.texts])
        misled = replace(task, data=replace(task.data, objective=other))
        return train_encoder(misled, settings, checkpoint, watch)

    monkeypatch.setattr(students, "train_encoder", misled)
    rights = {}
    for share in (1.0, 0.0):
        made = distil(opened(folder), data, LONG, StudentSettings(label_weight=share, hidden_weight=0.0))
        rights[share] = made.student.report.train["accuracy"]
        assert made.teacher.report.train["accuracy"] < 0.2
    assert rights[1.0] > 0.8
    assert rights[0.0] < rights[1.0] - 0.1


def test_states_come_nearer_to_the_teachers_where_they_weigh_more(folder, monkeypatch):
    distances = {}
    measured = student_module.hidden_loss

    def watched(own, said, mask):
        found = measured(own, said, mask)
        last.append(float(found.detach()))
        return found

    monkeypatch.setattr(student_module, "hidden_loss", watched)
    for weight in (1e-6, 10.0):
        last = []
        distil(opened(folder), rows("single", MANY), LONG, StudentSettings(hidden_weight=weight))
        distances[weight] = np.mean(last[-6:])
    assert distances[10.0] < 0.8 * distances[1e-6]


@pytest.mark.parametrize("stop", [6, 7, 9])
def test_a_kill_between_the_phases_or_within_the_second_changes_nothing(folder, tmp_path, stop):
    data = rows("single")
    undisturbed = distil(opened(folder), data, LOOP)
    keep = DistillCheckpoints(tmp_path / "one.teacher", tmp_path / "one.student")
    steps = []

    def watch(_):
        steps.append(True)
        if len(steps) > stop:
            raise Killed

    with pytest.raises(Killed):
        distil(opened(folder), data, LOOP, checkpoints=keep, watch=watch)
    seen = []
    again = distil(opened(folder), data, LOOP, checkpoints=keep, watch=lambda now: seen.append(now.step))
    assert len(seen) < 12
    assert outcome(again.teacher) == outcome(undisturbed.teacher)
    assert outcome(again.student) == outcome(undisturbed.student)
    seen.clear()
    done = distil(opened(folder), data, LOOP, checkpoints=keep, watch=lambda now: seen.append(now.step))
    assert seen == []
    assert outcome(done.student) == outcome(undisturbed.student)


def test_other_settings_or_other_texts_do_not_go_on_from_a_checkpoint(folder, tmp_path):
    keep = DistillCheckpoints(tmp_path / "t", tmp_path / "s")
    data = rows("single")
    distil(opened(folder), data, LOOP, checkpoints=keep)

    def steps(data, **settings):
        seen = []
        distil(opened(folder), data, LOOP, StudentSettings(**settings), keep, lambda now: seen.append(now.step))
        return len(seen)

    assert steps(data, temperature=5.0) == 6
    assert steps(data, chosen=(1, 2)) == 6
    moved = FineTuneData([f"{text} again" for text in data.texts], data.labels)
    assert steps(moved) == 12


def test_what_can_be_no_student_is_refused_before_anything_is_trained(folder, tmp_path):
    seen = []

    def asked(folder, data, **settings):
        distil(opened(folder), data, LOOP, StudentSettings(**settings), watch=seen.append)

    with pytest.raises(UsageError, match="a student asks for 5 layers; this encoder has 4, numbered 0 to 3"):
        asked(folder, rows("single"), layers=5)
    strange = save_tiny(tmp_path / "strange", "fnet")
    with pytest.raises(UsageError, match="family 'fnet' cannot be taken apart"):
        asked(strange, rows("single"))
    texts = texts_of(20)
    with pytest.raises(HeadError, match="same label"):
        asked(folder, FineTuneData(texts, read_labels(["alike"] * 20, "single", texts)))
    assert seen == []


def test_the_callers_random_numbers_are_not_touched(folder):
    encoder = opened(folder)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    distil(encoder, rows("single", 20, 5), embank.TrainingSettings(epochs=1, batch=16, rate=1e-3))
    torch.testing.assert_close(torch.rand(2), expected)
