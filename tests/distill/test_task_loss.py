"""The losses of a student: each term is what it says, is used, and leaves padding out of account."""

import pytest
import torch

from embank.distill.task_loss import Student, StudentObjective, Teacher, TeacherOutputs, hidden_loss, soft_loss
from embank.distill.task_settings import StudentSettings
from embank.fit.finetune import encoder_task
from embank.labels.kinds import KINDS
from embank.models.full import EncoderWithHead
from embank.models.shortened import shortened
from material.baselines import opened, rows
from material.tails import save_tiny

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(params=KINDS)
def case(request, folder):
    """A task of a kind, with a teacher that has learned nothing yet, and a student."""
    encoder = opened(folder)
    task = encoder_task(encoder, rows(request.param, 40), 0)
    small = shortened(encoder, (0, 3))
    teacher = Teacher(EncoderWithHead(encoder, task.design, 1), (2, 4), 4)
    student = Student(EncoderWithHead(small, task.design, 2), 2)
    student.train(mode=False)
    student.training = True  # it shows its states, and no dropout moves them
    return task, teacher, student


def output(task, student, which):
    return student(**task.data.inputs.inputs(which))


def outputs_of(teacher, task, *most):
    return TeacherOutputs(teacher, task.data.inputs, task.data.train, *most)


def loss_of(task, outputs, output, which, **settings):
    objective = StudentObjective(task.objective, outputs, StudentSettings(**settings))
    return objective.loss(output, objective.targets(which, output.states[0].shape[1]))


@pytest.fixture
def which(case):
    """Some training examples."""
    return case[0].data.train[[3, 0, 17, 5]]


def test_the_loss_is_the_weighted_sum_of_its_terms(case, which):
    task, teacher, student = case
    said = outputs_of(teacher, task)
    found = output(task, student, which)
    assert [state.shape for state in found.states] == [found.states[0].shape] * 2
    length = found.states[0].shape[1]
    targets = task.objective.targets(which, length)
    labels = task.objective.loss(found.logits, targets)

    def total(**settings):
        return loss_of(task, said, found, which, **settings)

    where = targets.values != -100 if targets.allowed is None else targets.allowed > 0
    soft = soft_loss(task.objective.kind, found.logits, said.logits(which, length), where, 3.0)
    mask = torch.arange(length) < torch.from_numpy(task.data.inputs.lengths[which])[:, None]
    hidden = hidden_loss(found.states, said.states(which, length), mask)
    assert min(labels, soft, hidden) > 0
    torch.testing.assert_close(total(label_weight=1.0, hidden_weight=0.0), labels)
    torch.testing.assert_close(total(label_weight=0.0, hidden_weight=0.0, temperature=3.0), soft)
    torch.testing.assert_close(
        total(label_weight=0.25, hidden_weight=2.0, temperature=3.0), 0.25 * labels + 0.75 * soft + 2 * hidden
    )


def test_every_term_reaches_every_layer_of_the_student(case, which):
    task, teacher, student = case
    said = outputs_of(teacher, task)
    for settings in ({"label_weight": 1.0, "hidden_weight": 0.0}, {"label_weight": 0.0, "hidden_weight": 0.0}):
        student.zero_grad()
        loss_of(task, said, output(task, student, which), which, **settings).backward()
        moved = {name for name, one in student.trainable().items() if one.grad is not None and one.grad.abs().sum() > 0}
        assert any("layer.0." in name for name in moved)
        assert any("layer.1." in name for name in moved)
        assert "live.output.weight" in moved
    student.zero_grad()
    loss_of(task, said, output(task, student, which), which, hidden_weight=1.0).backward()
    with_states = student.trainable()["live.model.encoder.layer.0.output.dense.weight"].grad.clone()
    student.zero_grad()
    loss_of(task, said, output(task, student, which), which, hidden_weight=0.0).backward()
    assert not torch.allclose(
        with_states, student.trainable()["live.model.encoder.layer.0.output.dense.weight"].grad, rtol=1e-3
    )


def test_the_teacher_gets_no_gradient(case, which):
    task, teacher, student = case
    for most in (0, 2**30):
        loss_of(task, outputs_of(teacher, task, most), output(task, student, which), which).backward()
    assert all(parameter.grad is None for parameter in teacher.model.parameters())


def test_states_that_are_kept_equal_states_that_are_computed_anew(case, which):
    task, teacher, _ = case
    lengths = task.data.inputs.lengths
    weight = int(lengths[task.data.train].sum()) * 32 * 2 * 2
    kept, anew = outputs_of(teacher, task, weight), outputs_of(teacher, task, weight - 1)
    assert (kept.keeps_states, anew.keeps_states) == (True, False)
    length = task.data.inputs.inputs(which)["input_ids"].shape[1]
    for one, other in zip(kept.states(which, length), anew.states(which, length), strict=True):
        for row, tokens in enumerate(lengths[which]):
            torch.testing.assert_close(one[row, :tokens], other[row, :tokens], rtol=2e-3, atol=2e-3)
    torch.testing.assert_close(kept.logits(which, length), anew.logits(which, length))


def test_without_a_weight_of_states_none_are_kept(case):
    task, teacher, _ = case
    said = outputs_of(Teacher(teacher.model, (), 4), task)
    assert all(blocks == [] for blocks in said._states.values())


def test_a_student_shows_its_states_in_training_alone(case, which):
    task, _, student = case
    found = output(task, student, which)
    student.train(mode=False)
    with torch.no_grad():
        torch.testing.assert_close(output(task, student, which), found.logits)
    assert len(found.states) == 2


def logits_of(kind, seed):
    random = torch.Generator().manual_seed(seed)
    if kind in ("tagging", "span"):
        return torch.randn(3, 6, 2 if kind == "span" else 5, generator=random)
    return torch.randn(3, 1 if kind == "regression" else 4, generator=random)


WHERE = torch.tensor([[0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0]]) > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_what_agrees_with_the_teacher_cannot_be_bettered(kind, temperature):
    said = logits_of(kind, 1)
    own = said.clone().requires_grad_()
    least = soft_loss(kind, own, said, WHERE, temperature)
    least.backward()
    assert own.grad.abs().max() < 1e-6
    if kind != "multi":  # its cross entropy keeps the teacher's own doubt
        assert float(least.detach()) == pytest.approx(0, abs=1e-6)
    for seed in range(2, 6):
        assert soft_loss(kind, logits_of(kind, seed), said, WHERE, temperature) > least + 1e-3


def test_divergence_is_a_mean_over_texts_and_as_its_formula_says():
    own, said = logits_of("single", 1), logits_of("single", 2)
    p, q = (said / 2).softmax(-1), (own / 2).softmax(-1)
    expected = (p * (p.log() - q.log())).sum(-1).mean() * 4
    torch.testing.assert_close(soft_loss("single", own, said, WHERE, 2.0), expected)


@pytest.mark.parametrize("kind", ["tagging", "span"])
def test_tokens_that_bear_no_label_do_not_count(kind):
    own, said = logits_of(kind, 1), logits_of(kind, 2)
    before = soft_loss(kind, own, said, WHERE, 2.0)
    changed = own.masked_fill(~WHERE.unsqueeze(-1), 50.0)
    torch.testing.assert_close(soft_loss(kind, changed, said, WHERE, 2.0), before)
    longer = [torch.nn.functional.pad(one, (0, 0, 0, 3)) for one in (own, said)]
    torch.testing.assert_close(soft_loss(kind, *longer, torch.nn.functional.pad(WHERE, (0, 3)), 2.0), before)
    assert before.isfinite()


def test_a_batch_without_a_labelled_token_has_no_loss():
    found = soft_loss("tagging", logits_of("tagging", 1), logits_of("tagging", 2), torch.zeros(3, 6) > 0, 2.0)
    assert float(found) == 0


def test_states_are_compared_by_direction_and_padding_is_left_out():
    random = torch.Generator().manual_seed(0)
    own = [torch.randn(3, 6, 8, generator=random) for _ in range(2)]
    said = [torch.randn(3, 6, 8, generator=random) for _ in range(2)]
    found = hidden_loss(own, said, WHERE)
    cosines = [
        torch.nn.functional.cosine_similarity(a[WHERE], b[WHERE], dim=-1) for a, b in zip(own, said, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack([(2 - 2 * one).mean() for one in cosines]).mean())
    assert float(hidden_loss(own, [3 * state for state in own], WHERE)) == pytest.approx(0, abs=1e-6)
    noisy = [state.masked_fill(~WHERE.unsqueeze(-1), 9.0) for state in own]
    torch.testing.assert_close(hidden_loss(noisy, said, WHERE), found)
