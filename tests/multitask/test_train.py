"""An encoder learns from sources of every kind, depends on its seed alone, and goes on after a stop."""

import dataclasses

import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer

import embank
from embank.errors import HeadError, UsageError
from embank.fit.source_datasets import source_dataset
from embank.fit.source_tasks import Source
from embank.labels.kinds import APART
from embank.models import shared as shared_module
from embank.models.encoder_folder import CARD, REPORT
from embank.models.shared import HeadShape, SharedEncoder
from embank.multitask import MultitaskSettings
from embank.multitask import heads_first as probing
from embank.multitask import train as multitask_module
from embank.multitask.folder import save_multitask
from embank.multitask.train import train_shared
from embank.training.outputs import predict_outputs
from embank.training.token_inputs import TokenInputs
from material.multitask import TEXTS, opened, pairs, settings, sources
from material.tails import moods, options, save_tiny


def weights(module):
    return {name: tensor.detach().clone() for name, tensor in module.trainable().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.fixture(scope="module")
def trained(folder):
    encoder = opened(folder)
    return encoder, train_shared(encoder, sources(), settings(epochs=6, rate=5e-3))


def test_every_kind_of_source_is_learned(trained):
    report = trained[1].report
    assert [source.name for source in report.sources] == ["mood", "topics", "size", "tags", "together", "apart"]
    better = {source.name: source.score > source.guess for source in report.sources}
    assert all(better[name] for name in ("mood", "topics", "tags"))
    assert trained[1].losses[-1] < 0.8 * trained[1].losses[0]


def test_the_mean_of_the_best_pass_is_the_best(trained):
    report = trained[1].report
    assert report.passes[report.best - 1] == max(report.passes)
    assert report.mean == pytest.approx(max(report.passes), abs=1e-6)


def test_a_head_of_many_dimensions_hears_them_all_more_softly(folder, monkeypatch):
    encoder = opened(folder)
    readouts = ((1, "mean"), (4, "mean"))
    texts = ["a calm day", "a cold night", "a red house", "a long road"]
    inputs = TokenInputs(encoder, texts).inputs(np.arange(4))

    def scored(reach):
        monkeypatch.setattr(shared_module, "_REACH", reach)
        module = SharedEncoder(encoder, [HeadShape("regression", 1, apart=True)], readouts, seed=0)
        module.eval()
        with torch.no_grad():
            return module(torch.tensor(0), **inputs)

    wide = encoder.width * 2 * 4  # two readouts, of which a pair has four
    assert torch.allclose(scored(float(wide)), scored(1e9))
    assert torch.allclose(scored(wide / 8) * 8, scored(float(wide)), atol=1e-5)


def test_all_layers_change_and_every_head_learns(folder, trained):
    raw, module = opened(folder).model, trained[1].module
    before = dict(raw.named_parameters())
    moved = {name for name, tensor in module.model.named_parameters() if not torch.equal(tensor, before[name])}
    for layer in range(4):
        assert any(f"layer.{layer}." in name for name in moved)
    assert all(float(head.bias.detach().abs().max()) > 0 for head in module.heads)


def test_the_same_seed_gives_the_same_encoder_and_another_seed_another(folder):
    def made(seed):
        return weights(train_shared(opened(folder), sources("mood", "tags"), settings(seed=seed)).module)

    first = made(1)
    assert equal(first, made(1))
    assert not equal(first, made(2))


class Stopped(Exception):  # noqa: N818 - a kill is no error
    """The training was killed."""


def test_a_training_that_was_stopped_ends_with_the_weights_of_one_that_was_not(folder, tmp_path):
    asked = settings(epochs=3)
    whole = train_shared(opened(folder), sources("mood", "size"), asked)

    def stop(now):
        if now.epoch == 2 and now.losses:
            raise Stopped

    checkpoint = tmp_path / "training.safetensors"
    with pytest.raises(Stopped):
        train_shared(opened(folder), sources("mood", "size"), asked, checkpoint, stop)
    resumed = train_shared(opened(folder), sources("mood", "size"), asked, checkpoint)
    assert resumed.report.resumed
    assert not whole.report.resumed
    assert equal(weights(whole.module), weights(resumed.module))
    assert resumed.report.passes == whole.report.passes


def test_a_checkpoint_of_other_rows_is_not_taken_up(folder, tmp_path):
    def stop(now):
        if now.epoch == 2:
            raise Stopped

    checkpoint = tmp_path / "training.safetensors"
    with pytest.raises(Stopped):
        train_shared(opened(folder), sources("mood"), settings(), checkpoint, stop)
    other = [Source(name="mood", texts=TEXTS, labels=["good", *moods(TEXTS)[1:]])]
    changed = [dataclasses.replace(other[0], texts=[*TEXTS[:-1], "the pump is lost in rome"])]
    assert not train_shared(opened(folder), changed, settings(), checkpoint).report.resumed


def test_padding_and_neighbours_do_not_move_what_heads_read(trained):
    encoder, found = trained
    (source,) = sources("apart")
    one = source_dataset(encoder, 5, source, settings().source_settings).inputs
    every = np.arange(8)
    together = np.stack(predict_outputs(found.module, one, every))
    alone = np.stack([predict_outputs(found.module, one, np.array([at]))[0] for at in every])
    np.testing.assert_allclose(together, alone, atol=0.15)  # bfloat16 where the processor has it


def test_steps_are_of_four_batches(folder):
    report = train_shared(opened(folder), sources("mood"), settings(epochs=1)).report
    batches = -(-report.sources[0].rows // 8)
    assert report.steps == -(-batches // 4)


def test_validation_rows_that_are_given_are_the_ones_that_validate(folder):
    given = Source(name="mood", texts=TEXTS[:36], labels=moods(TEXTS[:36]), validation=(TEXTS[36:], moods(TEXTS[36:])))
    (score,) = train_shared(opened(folder), [given], settings(epochs=1)).report.sources
    assert (score.rows, score.held_back) == (36, 12)


def test_no_more_rows_are_used_than_are_allowed(folder):
    (score,) = train_shared(opened(folder), sources("mood"), settings(epochs=1, most=10)).report.sources
    assert score.rows == 10


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra", "fnet"])
def test_a_multitask_encoder_is_a_folder_that_others_load_and_that_fills_columns_of_its_own(family, tmp_path):
    raw = save_tiny(tmp_path / "tiny", family)
    encoder = opened(raw)
    found = train_shared(encoder, sources("mood"), settings(epochs=1))
    save_multitask(encoder, found.report, tmp_path / "house")
    here = dict(encoder.model.named_parameters())
    there = dict(transformers.AutoModel.from_pretrained(tmp_path / "house").named_parameters())
    assert all(torch.equal(tensor, there[name]) for name, tensor in here.items())
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        for place in (raw, tmp_path / "house"):
            bank.encode(TEXTS, encoder=str(place), columns=[f"{place.name}/4/mean@float32"])
        one, other = (bank.vectors(f"{name}/4/mean@float32", TEXTS) for name in ("tiny", "house"))
    assert not np.allclose(one, other, atol=1e-3)
    if family == "bert":
        theirs = SentenceTransformer(str(tmp_path / "house"), device="cpu").encode(TEXTS)
        np.testing.assert_allclose(theirs, other, atol=1e-5)


def test_a_card_and_a_report_name_sources_sizes_and_scores(trained, tmp_path):
    encoder, found = trained
    save_multitask(encoder, found.report, tmp_path / "house")
    card = (tmp_path / "house" / CARD).read_text()
    for source in found.report.sources:
        assert f"| {source.name} | {source.kind} |" in card
        assert f"{source.score:.3f}" in card
    assert str(encoder.folder.path) not in card
    assert (tmp_path / "house" / REPORT).is_file()
    with pytest.raises(UsageError, match="exists already"):
        save_multitask(encoder, found.report, tmp_path / "house")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "expected at least one"),
        ([*sources("mood"), *sources("mood")], "a name of its own"),
        ([Source(name="mood", texts=TEXTS, labels=["same"] * 48)], "source 'mood'.*same label"),
        ([Source(name="mood", texts=TEXTS[:4], labels=moods(TEXTS[:4]))], "source 'mood'.*too few"),
        ([Source(name="apart", texts=TEXTS, labels=moods(TEXTS), reads=APART)], "reads pairs apart"),
        ([Source(name="tags", texts=TEXTS, labels=[["O"]] * 48, kind="tagging")], "source 'tags'.*not one per word"),
        (
            [Source(name="mood", texts=TEXTS, labels=moods(TEXTS), validation=(TEXTS, moods(TEXTS)))],
            "no text is left to validate",
        ),
    ],
)
def test_sources_that_cannot_teach_are_refused(folder, given, says):
    with pytest.raises((UsageError, HeadError), match=says):
        train_shared(opened(folder), given, settings())


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"most": 0}, {"validate": 0}, {"reads": "first"}])
def test_settings_that_no_training_can_start_with_are_refused(wrong):
    with pytest.raises(UsageError):
        MultitaskSettings(**wrong)


def test_a_pair_read_apart_is_one_example(folder):
    both, alike = pairs(TEXTS)
    (score,) = train_shared(
        opened(folder), [Source(name="apart", texts=both, labels=alike, reads=APART)], settings(epochs=1)
    ).report.sources
    assert score.rows + score.held_back == len(both)


def test_heads_begin_where_linear_heads_on_the_raw_encoder_are(folder):
    report = train_shared(opened(folder), sources(), settings(rate=1e-9)).report
    for source in report.sources:
        assert source.score == pytest.approx(source.frozen, abs=0.03), source.name
    frozen = {source.name: source.frozen > source.guess for source in report.sources}
    assert frozen["mood"]
    assert frozen["tags"]


def test_training_has_no_dropout(folder):
    found = train_shared(opened(folder), sources("mood"), settings(epochs=1))
    inputs = {
        "source": torch.tensor(0),
        "pool": torch.ones(2, 4),
        "input_ids": torch.tensor([[5, 6, 7, 8]] * 2),
        "attention_mask": torch.ones(2, 4, dtype=torch.long),
    }
    found.module.train()
    trained = found.module(**inputs)
    assert torch.equal(trained, found.module(**inputs))
    found.module.train(mode=False)
    assert torch.equal(trained, found.module(**inputs))


def test_what_is_left_open_is_what_measured_best(folder):
    report = train_shared(opened(folder), sources("mood"), MultitaskSettings()).report
    asked = report.settings["training"]
    assert (asked["epochs"], asked["accumulate"], asked["rate"]) == (1, 4, pytest.approx(1.5e-4))


def test_a_head_that_is_learned_first_has_no_gradient_left_but_its_penalty(folder):
    seen = []

    def noted(head, source, train, penalty):
        fit(head, source, train, penalty)
        count = sum(len(batch.which) for batch in train)
        head.zero_grad()
        losses = [source.objective.loss(head(batch.vectors), batch.targets) * len(batch.which) for batch in train]
        (sum(losses) / count).backward()
        seen.append((head.weight.grad + penalty * head.weight).abs().max().item())

    fit = probing._fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probing, "_fit", noted)
        train_shared(opened(folder), sources("mood", "tags", "apart"), settings(epochs=1))
    assert len(seen) == 3 * len(probing._PENALTIES)
    assert max(seen) < 2e-3


def test_those_who_watch_hear_of_heads_before_the_first_step(folder):
    heard = []
    train_shared(opened(folder), sources("mood", "size"), settings(epochs=1), watch=heard.append)
    assert [set(now.scores) for now in heard if not now.epoch] == [{"mood"}, {"mood", "size"}]
    assert heard[2].epoch == 1


def test_a_resumed_training_does_not_learn_its_heads_again_and_knows_what_they_scored(folder, tmp_path, monkeypatch):
    def stop(now):
        if now.epoch == 2:
            raise Stopped

    checkpoint, asked = tmp_path / "training.safetensors", settings(epochs=2)
    with pytest.raises(Stopped):
        train_shared(opened(folder), sources("mood"), asked, checkpoint, stop)
    monkeypatch.setattr(multitask_module, "learn_head", None)
    resumed = train_shared(opened(folder), sources("mood"), asked, checkpoint).report
    assert resumed.resumed
    assert resumed.sources[0].frozen > resumed.sources[0].guess


@pytest.mark.parametrize(("name", "most"), [("mood", 20), ("tags", 9), ("mood", 100)])
def test_first_heads_are_learned_from_examples_throughout_a_source(folder, monkeypatch, name, most):
    (source,) = sources(name)
    data = source_dataset(opened(folder), 0, source, settings().source_settings)
    mean = data.inputs.lengths[data.train].mean()
    monkeypatch.setattr(probing, "_MOST_TOKENS", 9.5 * mean)
    monkeypatch.setattr(probing, "_MOST", 10**6 if most == 100 else 20)
    found = probing.probed(data)
    assert set(found) <= set(data.train)
    assert len(found) == min(most, len(data.train))
    assert (found[0], found[-1]) == (data.train[0], data.train[-1])
