"""The training loop: it learns, it depends on its seed alone, and it goes on after a kill as if nothing had happened."""

import numpy as np
import pytest
import torch

from embank.errors import HeadError, UsageError
from embank.models.tail_settings import METHODS, default_rate
from embank.training.checkpoint import Checkpoint, CheckpointFile
from embank.training.loop import Run, train
from embank.training.settings import TrainingSettings
from material.training import BATCH, EXAMPLES, STEPS, Plain, TinyDataset, accuracy, bert_tail, settings_of, trainer

pytestmark = pytest.mark.usefixtures("one_thread")


def run_of(tail=None, dataset=None, validate=None, checkpoint=None, **settings):
    tail, dataset = tail or bert_tail(), dataset or TinyDataset()
    return Run(
        module=tail,
        dataset=dataset,
        validate=validate or (lambda: accuracy(tail, dataset)),
        settings=settings_of(**settings),
        checkpoint=checkpoint,
    )


def equal(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("method", METHODS)
def test_training_lowers_the_loss_and_finds_the_classes(method):
    if method == "lora":
        pytest.importorskip("peft")
    tail, dataset = bert_tail(method=method), TinyDataset(48)
    before = accuracy(tail, dataset)
    trained = train(run_of(tail, dataset, epochs=10, rate=5e-3, patience=10))
    losses = trained.position.losses
    assert len(losses) == trained.position.epoch == 10
    assert losses[-1] < 0.7 * losses[0]
    assert accuracy(tail, dataset) == trained.position.best > before
    assert not trained.resumed


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_trained_never_changes(method):
    if method == "lora":
        pytest.importorskip("peft")
    tail = bert_tail(method=method, cut=1)
    wanted = {id(parameter) for parameter in tail.trainable().values()}
    everything = dict(tail.named_parameters()) | dict(tail.named_buffers())
    before = {name: tensor.detach().clone() for name, tensor in everything.items()}
    train(run_of(tail, epochs=2, rate=1e-2, decay=0.5))
    after = dict(tail.named_parameters()) | dict(tail.named_buffers())
    moved = {id(tensor) for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == wanted
    assert len(after) == len(before) > len(wanted) > 0


def test_the_same_seed_gives_the_same_weights_to_the_bit_and_another_does_not():
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(found))  # what was drawn before has no part in it
        tail = bert_tail()
        train(run_of(tail, seed=seed))
        found.append(tail.state())
    assert equal(found[0], found[1])
    assert not any(torch.equal(tensor, found[2][name]) for name, tensor in found[0].items() if tensor.abs().sum())


def test_training_leaves_the_random_numbers_of_whoever_calls_it(tmp_path):
    torch.manual_seed(5)
    right = torch.rand(4)
    torch.manual_seed(5)
    train(run_of(checkpoint=CheckpointFile(tmp_path / "c", "this")))
    assert torch.equal(torch.rand(4), right)


def test_a_watch_is_told_of_every_step_and_of_the_last_score():
    told = []
    scores = iter([0.25, 0.5, 0.75])
    trained = train(run_of(validate=lambda: next(scores)), told.append)
    assert [now.step for now in told] == list(range(1, 3 * STEPS + 1))
    assert [now.epoch for now in told] == [1] * STEPS + [2] * STEPS + [3] * STEPS
    assert {(now.steps, now.epochs) for now in told} == {(3 * STEPS, 3)}
    assert [now.score for now in told] == [None] * STEPS + [0.25] * STEPS + [0.5] * STEPS
    assert trained.position.scores == (0.25, 0.5, 0.75)
    means = tuple(told[at].loss for at in (STEPS - 1, 2 * STEPS - 1, 3 * STEPS - 1))
    assert trained.position.losses == means


@pytest.mark.parametrize(
    ("scores", "passes", "best"),
    [
        ([0.1, 0.5, 0.4, 0.3, 0.9], 4, 2),
        ([0.5, 0.5, 0.5, 0.6, 0.7], 3, 1),  # as good as before is no better
        ([-3.0, -2.0, -1.0, -2.0, -0.5], 5, 5),
        ([0.0, 0.0, 0.0, 0.0, 0.4], 5, 5),  # found nothing yet
        ([0.0, 0.0, 0.3, 0.2, 0.1], 5, 3),
        ([0.0, 0.3, 0.0, 0.0, 0.9], 4, 2),
        ([0.9, float("nan"), 0.2, 0.9, 0.9], 3, 1),
    ],
)
def test_training_stops_when_patience_is_over_and_gives_back_the_weights_of_the_best_pass(scores, passes, best):
    tail = bert_tail()
    seen = []

    def validate():
        seen.append(tail.state())
        return scores[len(seen) - 1]

    trained = train(run_of(tail, validate=validate, epochs=5, patience=2))
    position = trained.position
    assert (position.epoch, position.best_epoch, position.best) == (passes, best, scores[best - 1])
    assert len(seen) == passes
    assert equal(tail.state(), seen[best - 1])
    assert not any(equal(tail.state(), other) for at, other in enumerate(seen, 1) if at != best)
    assert not tail.training


class Broken(TinyDataset):
    """TinyDataset whose losses are no numbers from some step on."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def loss(self, logits, targets):
        self.left -= 1
        return super().loss(logits, targets) * (float("nan") if self.left < 0 else 1.0)


def test_losses_that_are_no_numbers_end_in_advice():
    dataset = Broken(0)
    with pytest.raises(HeadError, match=r"training went astray \(losses nan, nan\): try again with a lower learning"):
        train(run_of(dataset=dataset, patience=2))


@pytest.mark.parametrize("after", [STEPS, STEPS + 3])
def test_a_pass_whose_losses_are_no_numbers_is_never_the_best(after):
    tail, dataset = bert_tail(), Broken(after)
    asked = []

    def validate():
        asked.append(True)
        return float(len(asked))  # a tail of no numbers may well have a score: it says the first class of everything

    trained = train(run_of(tail, dataset, validate, patience=2))
    assert trained.position.best_epoch == len(asked) == 1
    assert all(tensor.isfinite().all() for tensor in tail.state().values())


def rates_of(monkeypatch, **settings):
    """The learning rate of every step that the optimiser takes."""
    rates = []
    step = torch.optim.AdamW.step

    def watched(self, *arguments, **named):
        rates.extend(group["lr"] for group in self.param_groups)
        return step(self, *arguments, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    train(run_of(Plain(), validate=iter(range(1000)).__next__, **settings))
    return np.array(rates)


def test_the_learning_rate_rises_over_a_tenth_of_the_steps_and_falls_to_nothing(monkeypatch):
    rates = rates_of(monkeypatch, epochs=10, rate=0.01)
    assert len(rates) == 60
    np.testing.assert_allclose(rates[:6], 0.01 * np.arange(1, 7) / 6)
    assert rates.max() == pytest.approx(0.01)
    falls = np.diff(rates[6:])
    np.testing.assert_allclose(falls, falls[0])
    assert falls[0] < 0
    np.testing.assert_allclose(rates[-1], -falls[0])  # one more, and it would be nothing


def test_a_training_of_a_few_steps_has_no_step_without_a_rate(monkeypatch):
    rates = rates_of(monkeypatch, epochs=1, rate=0.01, batch=EXAMPLES)
    assert rates.tolist() == [0.01]


def test_warm_up_is_a_hundred_steps_at_the_most(monkeypatch):
    rates = rates_of(monkeypatch, epochs=60, rate=0.01, batch=1, patience=60)
    assert len(rates) == 60 * EXAMPLES
    assert rates.argmax() in (99, 100)
    np.testing.assert_allclose(rates[:100], 0.01 * np.arange(1, 101) / 100)


class StopHereError(Exception):
    pass


@pytest.mark.parametrize(("count", "batch", "epochs"), [(24, 4, 50), (24, 24, 300), (600, 2, 4)])
def test_where_nobody_says_there_are_four_passes_and_300_steps_at_least(count, batch, epochs):
    def stop(now):
        assert (now.epochs, now.steps) == (epochs, epochs * -(-count // batch))
        raise StopHereError

    with pytest.raises(StopHereError):
        train(run_of(dataset=TinyDataset(count), epochs=None, batch=batch), stop)


def test_gradients_are_clipped(monkeypatch):
    lengths = []
    clip = torch.nn.utils.clip_grad_norm_

    def watched(parameters, most):
        held = list(parameters)
        clip(held, most)
        lengths.append(float(torch.stack([one.grad.norm() for one in held if one.grad is not None]).norm()))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
    dataset = TinyDataset()
    loss = dataset.loss
    dataset.loss = lambda *given: 100 * loss(*given)
    train(run_of(dataset=dataset, clip=0.25, epochs=1))
    assert len(lengths) == STEPS
    np.testing.assert_allclose(lengths, 0.25, rtol=1e-3)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"epochs": 0}, "found epochs 0, expected at least 1"),
        ({"batch": 0}, "found batch 0, expected at least 1"),
        ({"patience": -1}, "found patience -1, expected at least 1"),
        ({"rate": 0.0}, "found a learning rate of 0.0, expected a number between 0 and 1"),
        ({"rate": 5.0}, "found a learning rate of 5.0, expected a number between 0 and 1"),
        ({"rate": float("nan")}, "found a learning rate of nan, expected a number between 0 and 1"),
    ],
)
def test_settings_that_no_training_can_start_with_are_refused(setting, said):
    with pytest.raises(UsageError, match=said):
        TrainingSettings(**setting)


def test_wider_encoders_take_smaller_steps():
    assert default_rate("full", 384) == default_rate("full", 32) == 2e-4
    assert default_rate("lora", 768) == 0.5 * default_rate("lora", 384)
    assert default_rate("full", 384, alone=True) == 3e-2


def test_an_output_layer_that_begins_from_nothing_takes_larger_steps_than_layers_that_were_trained_before():
    tail = bert_tail()
    before = {name: tensor.detach().clone() for name, tensor in tail.trainable().items()}
    train(run_of(tail, epochs=1, rate=1e-5, decay=0.0))
    moved = {name: float((tensor.detach() - before[name]).abs().max()) for name, tensor in tail.trainable().items()}
    assert moved["output.weight"] > 50 * max(step for name, step in moved.items() if name.startswith("upper."))


# killed, and started again


@pytest.fixture(scope="module")
def server():
    with trainer() as process:
        yield process


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    """Weights and words of a training that nobody kills."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert not server.run(folder)
    weights, said = server.outcome(folder)
    assert (said["step"], said["began"], said["resumed"]) == (3 * STEPS, 1, False)
    return weights, said


SPENT = ("seconds", "began", "resumed")


def agrees(server, folder, undisturbed):
    """The same weights to the bit, the same scores and losses; returns what it said."""
    weights, said = server.outcome(folder)
    assert equal(weights, undisturbed[0])
    for name, value in undisturbed[1].items():
        assert name in SPENT or said[name] == value, name
    return said


@pytest.mark.parametrize("step", [1, 2, 4, STEPS, STEPS + 1, 2 * STEPS - 1, 2 * STEPS, 3 * STEPS])
def test_a_training_killed_at_a_step_goes_on_from_the_step_before(server, undisturbed, tmp_path, step):
    assert server.run(tmp_path, die=("step", step))
    assert not server.run(tmp_path)
    said = agrees(server, tmp_path, undisturbed)
    assert (said["began"], said["resumed"]) == (step, step > 1)


@pytest.mark.parametrize("finished", [1, 2, 3])
def test_a_training_killed_between_passes_validates_and_goes_on(server, undisturbed, tmp_path, finished):
    assert server.run(tmp_path, die=("validation", finished))
    assert not server.run(tmp_path)
    said = agrees(server, tmp_path, undisturbed)
    assert (said["began"], said["resumed"]) == (finished * STEPS + 1 if finished < 3 else None, True)


def test_a_training_that_is_killed_again_and_again_ends_as_one_that_was_not(server, undisturbed, tmp_path):
    for step in range(2, 3 * STEPS + 1, 3):
        assert server.run(tmp_path, die=("step", step))
    assert not server.run(tmp_path)
    agrees(server, tmp_path, undisturbed)


def test_checkpoints_at_the_end_of_passes_alone_cost_the_running_pass(server, undisturbed, tmp_path):
    assert server.run(tmp_path, die=("step", 3), seconds=3600)
    assert not (tmp_path / "training").exists()
    assert server.run(tmp_path, die=("step", 2 * STEPS + 3), seconds=3600)
    assert not server.run(tmp_path, seconds=3600)
    assert agrees(server, tmp_path, undisturbed)["began"] == 2 * STEPS + 1


def test_another_training_does_not_go_on_from_a_checkpoint_that_is_not_its_own(tmp_path):
    path = tmp_path / "task.safetensors"
    first, other = bert_tail(), bert_tail()
    train(run_of(first, checkpoint=CheckpointFile(path, "first")))
    assert Checkpoint.read(path, "first") is not None
    steps = []
    trained = train(run_of(other, checkpoint=CheckpointFile(path, "other"), seed=1), lambda now: steps.append(now.step))
    assert (steps[0], trained.resumed) == (1, False)
    assert Checkpoint.read(path, "first") is None


def test_a_training_that_was_over_gives_the_weights_of_its_best_pass_again(tmp_path):
    path = tmp_path / "task.safetensors"
    scores = iter([0.5, 0.9, 0.1])
    tail = bert_tail()
    train(run_of(tail, checkpoint=CheckpointFile(path, "this"), validate=lambda: next(scores)))
    again = bert_tail(seed=2)
    steps = []
    trained = train(run_of(again, checkpoint=CheckpointFile(path, "this")), steps.append)
    assert not steps
    assert trained.resumed
    assert trained.position.best_epoch == 2
    assert equal(again.state(), tail.state())


def test_without_a_place_for_checkpoints_none_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(run_of(epochs=1))
    assert list(tmp_path.iterdir()) == []


class Watched(TinyDataset):
    """TinyDataset that remember which examples were asked for."""

    def __init__(self, count=EXAMPLES):
        super().__init__(count)
        self.asked = []

    def inputs(self, which):
        self.asked.append(which.tolist())
        return super().inputs(which)


def test_batches_are_as_large_as_was_asked():
    dataset = Watched(26)
    train(run_of(dataset=dataset, validate=lambda: 0.5, epochs=1))
    assert sorted(map(len, dataset.asked)) == [2] + [BATCH] * 6


def test_every_pass_deals_every_example_in_an_order_of_its_own():
    dataset = Watched()
    train(run_of(dataset=dataset, validate=iter(range(9)).__next__))
    passes = [dataset.asked[at : at + STEPS] for at in range(0, 3 * STEPS, STEPS)]
    assert [sorted(sum(batches, [])) for batches in passes] == [list(range(EXAMPLES))] * 3  # noqa: RUF017
    assert passes[0] != passes[1] != passes[2] != passes[0]


def test_dropout_acts_in_every_step_and_in_no_validation():
    tail, dataset = bert_tail(), TinyDataset()
    modes, right = [], dataset.loss

    def loss(*given):
        modes.append(tail.training and tail.dropout.training)
        return right(*given)

    def validate():
        found = accuracy(tail, dataset)
        assert found == accuracy(tail, dataset)
        return found

    dataset.loss = loss
    train(run_of(tail, dataset, validate))
    assert modes == [True] * (3 * STEPS)
