"""A student learns its teacher's reduced vectors, depends on its seed alone, goes on after a stop, and is an encoder."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

import embank
from embank.distill.folder import save_projection
from embank.distill.settings import TERMS, Origins, TeacherSpace
from embank.distill.vector_student import Goal, spread_pairs, student_of, teacher_space, train_projection
from embank.encoders.folder import read_folder
from embank.errors import UsageError
from embank.linalg.cosine import unit
from embank.models.full import TokenLessons
from embank.multitask.folder import CARD, REPORT
from embank.search.queries import encoder_vectors
from embank.training.fit import outputs_of
from material.distill import TEXTS, Stopped, settings
from material.multitask import opened
from material.tails import options, save_tiny

ORIGINS = Origins("tiny", "tiny/4/mean@float16", "source", "tiny", (0, 1))


@pytest.fixture(scope="module")
def vectors(folder, tmp_path_factory):
    """The teacher's vectors of TEXTS."""
    with embank.Bank.create(tmp_path_factory.mktemp("teacher") / "bank", options()) as bank:
        bank.encode(TEXTS, encoder=str(folder), columns=["tiny/4/mean@float32"])
        return bank.vectors("tiny/4/mean@float32", TEXTS)


@pytest.fixture
def trained(folder, vectors):
    def train(asked, layers=(0, 1), texts=TEXTS, **keep):
        student = student_of(opened(folder), layers)
        given = (texts, vectors[: len(texts)])
        return student, train_projection(
            student, ORIGINS, given, asked, (keep.get("checkpoint"), keep.get("watch", lambda _: None))
        )

    return train


def weights(module):
    return {name: tensor.detach().clone() for name, tensor in module.trainable().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


# the goal


def test_a_pca_that_is_not_centred_keeps_cosines_and_a_centred_one_those_without_the_mean(vectors):
    plain, centred = (teacher_space(vectors, settings(width=12, centring=word)) for word in ("uncentred", "centred"))
    assert not plain.centre.any()
    np.testing.assert_allclose(centred.centre, vectors.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(centred(vectors).mean(axis=0), 0, atol=1e-4)
    true = unit(vectors) @ unit(vectors).T

    def off(space):
        own = unit(space(vectors))
        return float(np.abs(own @ own.T - true).mean())

    assert off(plain) < 0.05 < off(centred)


def test_targets_of_tanh_are_scaled_into_its_range_and_stay_in_the_same_directions(vectors):
    far = vectors * 10
    plain, scaled = (teacher_space(far, settings(activation=word)) for word in ("identity", "tanh"))
    assert np.abs(plain(far)).max() > 1 > np.abs(scaled(far)).max() > 0.9
    np.testing.assert_allclose(unit(plain(far)), unit(scaled(far)), atol=1e-5)
    small = vectors / np.abs(vectors).max() / 100
    np.testing.assert_array_equal(
        teacher_space(small, settings(activation="tanh")).axes, teacher_space(small, settings()).axes
    )


@pytest.mark.parametrize("term", TERMS)
def test_a_student_that_is_the_teacher_has_nothing_to_lose_and_any_other_has(term, vectors):
    asked = settings(width=32, losses=((term, 1.0),))
    goal = Goal(vectors, teacher_space(vectors, asked), np.arange(len(vectors)), asked)
    which = np.arange(16)
    perfect = torch.from_numpy(goal.targets[which])
    assert float(goal.loss(perfect, which)) == pytest.approx(0, abs=1e-4)
    noise = torch.randn(perfect.shape, generator=torch.Generator().manual_seed(0))
    for other in (perfect.flip(0), perfect + noise, -perfect[:, :1].expand(-1, 32)):
        assert float(goal.loss(other, which)) > 0.01
    if term != "mse":  # angles alone
        assert float(goal.loss(3 * perfect, which)) == pytest.approx(0, abs=1e-4)
    assert float(goal.loss(perfect[:1], which[:1])) == pytest.approx(0, abs=1e-4)  # a batch of one has no pairs


def test_a_loss_of_one_is_to_have_learned_nothing(vectors):
    asked = settings(losses=(("mse", 1.0),))
    every = np.arange(len(vectors))
    goal = Goal(vectors, teacher_space(vectors, asked), every, asked)
    assert float(goal.loss(torch.zeros(len(every), 8), every)) == pytest.approx(1, rel=1e-4)


def test_weights_and_widths_enter_the_loss(vectors):
    which, outputs = np.arange(12), torch.ones(12, 8)

    def loss(**given):
        asked = settings(**given)
        return float(Goal(vectors, teacher_space(vectors, asked), np.arange(len(vectors)), asked).loss(outputs, which))

    mse, cosine = loss(losses=(("mse", 1.0),)), loss(losses=(("cosine", 1.0),))
    assert loss(losses=(("mse", 1.0), ("cosine", 0.5))) == pytest.approx(mse + 0.5 * cosine, rel=1e-5)
    narrow = loss(width=4, losses=(("mse", 1.0),))
    assert mse != pytest.approx(narrow)
    assert loss(losses=(("mse", 1.0),), widths=(4,)) == pytest.approx(
        (mse + _of(vectors, outputs[:, :4], which)) / 2, rel=1e-5
    )


def _of(vectors, outputs, which):
    asked = settings(width=outputs.shape[1], losses=(("mse", 1.0),))
    return float(Goal(vectors, teacher_space(vectors, asked), np.arange(len(vectors)), asked).loss(outputs, which))


def test_compared_pairs_come_from_all_over_the_range():
    random = np.random.default_rng(0)
    points = unit(
        np.vstack(
            [random.normal(size=(300, 30)), random.normal(size=(1, 30)) + 0.05 * random.normal(size=(6, 30))]
        ).astype(np.float32)
    )
    similarities = points @ points.T
    first, second = spread_pairs(similarities)
    assert (first < second).all()
    assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == len(first)
    found, every = similarities[first, second], similarities[np.triu_indices(len(points), 1)]
    assert found.max() == every.max()
    assert found.min() == every.min()
    assert (found > 0.9).sum() == (every > 0.9).sum() == 15
    assert len(found) < len(every) / 2


# training


@pytest.mark.parametrize("start", ["pca", "regression"])
def test_a_student_follows_its_teacher_better_after_training(trained, start):
    _, found = trained(settings(start=start, epochs=6, widths=(4,)))
    report = found.report
    assert [score.width for score in report.widths] == [4, 8]
    assert np.mean([score.student - score.before for score in report.widths]) > 0
    assert report.passes[report.best - 1] == max(report.passes)
    assert np.mean([score.student for score in report.widths]) == pytest.approx(max(report.passes), abs=1e-6)
    assert (report.texts, report.held_out, report.teacher_width) == (108, 12, 32)


def test_the_projection_begins_as_the_pca_where_both_are_of_one_width(folder, vectors, trained):
    asked = settings(start="pca", rate=1e-9, epochs=1)
    _, found = trained(asked, layers=())
    chosen, _ = asked.divided(len(TEXTS))
    space = teacher_space(vectors[chosen], asked)
    weight = found.module.projection.weight.detach().numpy().T
    np.testing.assert_allclose(weight, space.axes, atol=1e-3)  # the whole teacher: nothing has to be scaled
    assert found.report.widths[0].before == pytest.approx(found.report.widths[0].pca, abs=0.01)


def test_a_student_of_another_width_begins_by_regression(tmp_path, vectors):
    narrow = save_tiny(tmp_path / "narrow")
    asked = settings(start="pca", epochs=1)
    student = student_of(opened(narrow), (0,))
    wide = np.hstack([vectors, vectors[:, :8]])
    found = train_projection(student, ORIGINS, (TEXTS, wide), asked)
    assert found.report.teacher_width == 40
    assert found.report.widths[0].before > 0.3


def test_a_student_that_learns_all_dimensions_keeps_the_strongest_of_its_own(trained, vectors):
    asked = settings(learns="whole", epochs=6)
    chosen, held = asked.divided(len(TEXTS))
    student, found = trained(asked, layers=(3,))
    lessons = TokenLessons(student.encoder, student.encoder.tokens(TEXTS), None)
    own = np.stack(outputs_of(found.module, lessons, chosen)).astype(np.float64)
    moments = own.T @ own / len(own)
    assert moments.shape == (8, 8)
    assert (np.diff(np.diag(moments)) < 0).all()
    assert np.abs(moments - np.diag(np.diag(moments))).max() < 0.02 * moments.max()  # no two of them say the same
    kept = Goal(vectors, found.space, held, settings()).spearmans(
        np.stack(outputs_of(found.module, lessons, held)), held
    )
    (score,) = found.report.widths
    assert kept[8] == pytest.approx(score.student, abs=2e-3)
    assert score.student > score.before


def test_the_teachers_vectors_are_reduced_as_those_of_the_student_that_learned_all_of_them(trained, vectors):
    _, found = trained(settings(learns="whole", epochs=1, rate=1e-9, start="pca"), layers=())
    np.testing.assert_allclose(found.space.axes.T @ found.space.axes, np.eye(8), atol=1e-5)
    with torch.no_grad():  # the student is still the teacher: it gives what the teacher's vectors are mapped to
        given = found.module.projection(torch.from_numpy(vectors)).numpy()
    np.testing.assert_allclose(given, found.space(vectors), atol=1e-3)


def test_what_an_activation_bends_is_not_turned(trained, vectors):
    asked = settings(learns="whole", activation="tanh", epochs=1)
    _, found = trained(asked)
    narrow = teacher_space(vectors[asked.divided(len(TEXTS))[0]], asked)
    assert (found.module.projection.out_features, narrow.axes.shape) == (8, (32, 32))
    np.testing.assert_allclose(found.space.axes, narrow.axes[:, :8])


def test_dimensions_that_are_not_kept_enter_the_loss(vectors):
    asked, every = settings(learns="whole", losses=(("mse", 1.0),)), np.arange(len(vectors))
    goal = Goal(vectors, teacher_space(vectors, asked), every, asked)
    right = torch.from_numpy(goal.targets)
    assert right.shape[1] == 32
    wrong = torch.cat([right[:, :8], torch.zeros(len(every), 24)], dim=1)
    assert float(goal.loss(right, every)) == pytest.approx(0, abs=1e-5)
    lost = float(right[:, 8:].square().sum() / right.square().sum())
    assert float(goal.loss(wrong, every)) == pytest.approx(lost, rel=1e-4)


def test_the_same_seed_gives_the_same_student_and_another_seed_another(trained):
    first = weights(trained(settings(seed=1, epochs=1))[1].module)
    assert equal(first, weights(trained(settings(seed=1, epochs=1))[1].module))
    assert not equal(first, weights(trained(settings(seed=2, epochs=1))[1].module))


@pytest.mark.parametrize(("dropout", "learns"), [(False, "reduced"), (True, "whole")])
def test_a_training_that_was_stopped_ends_with_the_weights_of_one_that_was_not(trained, tmp_path, dropout, learns):
    asked, checkpoint = settings(dropout=dropout, learns=learns), tmp_path / "training.safetensors"
    whole = trained(asked)[1]

    def stop(now):
        if now.epoch == 2 and now.step > 8:
            raise Stopped

    with pytest.raises(Stopped):
        trained(asked, checkpoint=checkpoint, watch=stop)
    other = trained(settings(dropout=dropout, learns=learns, rate=1e-3), checkpoint=checkpoint)[1]
    assert not other.report.resumed
    with pytest.raises(Stopped):
        trained(asked, checkpoint=checkpoint, watch=stop)
    resumed = trained(asked, checkpoint=checkpoint)[1]
    assert resumed.report.resumed
    assert equal(weights(whole.module), weights(resumed.module))
    assert whole.report.passes == resumed.report.passes


def test_dropout_is_off_unless_it_is_asked_for(trained):
    for asked in (False, True):
        module = trained(settings(dropout=asked, epochs=1))[1].module
        module.train()
        assert module.model.training is asked
        module.train(mode=False)
        assert not module.model.training


def test_the_best_pass_may_be_chosen_by_loss(trained):
    report = trained(settings(choice="loss"))[1].report
    assert all(score < 0 for score in report.passes)
    assert report.passes[report.best - 1] == max(report.passes)


def test_held_out_texts_move_no_weight(trained, vectors):
    asked = settings(epochs=1, choice="loss")
    chosen, held = asked.divided(len(TEXTS))
    assert sorted([*chosen, *held]) == list(range(len(TEXTS)))
    before = weights(trained(asked)[1].module)
    vectors[held] *= -1
    try:
        assert equal(before, weights(trained(asked)[1].module))
    finally:
        vectors[held] *= -1


# the folder


@pytest.mark.parametrize("activation", ["identity", "tanh"])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_a_student_is_a_folder_that_others_load_and_that_fills_columns(family, activation, scaled, tmp_path):
    raw = save_tiny(tmp_path / "tiny", family)
    student = student_of(opened(raw), (0, 2))
    made = np.random.default_rng(0).normal(size=(len(TEXTS), 32)).astype(np.float32)
    found = train_projection(student, ORIGINS, (TEXTS, made), settings(epochs=1, activation=activation, unit=scaled))
    save_projection(student, found, tmp_path / "small")
    own = read_folder(tmp_path / "small").own
    assert (len(own.dense), own.unit, own.modes) == (1, scaled, ("mean",))
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, encoder=str(tmp_path / "small"), columns=["small/2/own@float32"])
        banked = bank.vectors("small/2/own@float32", TEXTS)
    assert banked.shape == (120, 8)
    if scaled:
        np.testing.assert_allclose(np.linalg.norm(banked, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder_vectors(tmp_path / "small", TEXTS[:5], options()), banked[:5], atol=1e-5)
    if family == "bert":
        theirs = SentenceTransformer(str(tmp_path / "small"), device="cpu").encode(TEXTS)
        np.testing.assert_allclose(theirs, banked, atol=1e-5)


def test_modules_of_the_folder_that_it_began_as_are_replaced(tmp_path, trained, folder):
    first = trained(settings(epochs=1, unit=True))
    save_projection(*first, tmp_path / "first")
    student = student_of(opened(tmp_path / "first"))
    made = np.random.default_rng(0).normal(size=(len(TEXTS), 32)).astype(np.float32)
    save_projection(
        student, train_projection(student, ORIGINS, (TEXTS, made), settings(width=5, epochs=1)), tmp_path / "second"
    )
    own = read_folder(tmp_path / "second").own
    assert (len(own.dense), own.unit) == (1, False)
    assert not (tmp_path / "second" / "3_Normalize").exists()
    assert encoder_vectors(tmp_path / "second", TEXTS[:2], options()).shape == (2, 5)
    assert not (folder / "2_Dense").exists()


def test_a_prompt_that_pooling_leaves_out_is_left_out_by_the_student(tmp_path):
    raw = save_tiny(tmp_path / "tiny")
    named = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling")]
    modules = [
        {"name": name, "path": path, "type": f"sentence_transformers.models.{kind}"} for name, path, kind in named
    ]
    (raw / "modules.json").write_text(json.dumps([{"idx": at, **module} for at, module in enumerate(modules)]))
    (raw / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True, "include_prompt": False}
    (raw / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    prompts = {"prompts": {"query": "where is the "}, "default_prompt_name": "query"}
    (raw / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    student = student_of(opened(raw), (0, 2))
    made = np.random.default_rng(0).normal(size=(len(TEXTS), 32)).astype(np.float32)
    found = train_projection(student, ORIGINS, (TEXTS, made), settings(epochs=1))
    save_projection(student, found, tmp_path / "small")
    own = encoder_vectors(tmp_path / "small", TEXTS[:8], options())
    theirs = SentenceTransformer(str(tmp_path / "small"), device="cpu")
    np.testing.assert_allclose(theirs.encode(TEXTS[:8]), own, atol=1e-5)
    assert not np.allclose(theirs.encode(TEXTS[:8], prompt=""), own, atol=1e-3)
    (tmp_path / "small" / "1_Pooling" / "config.json").write_text(json.dumps({**pooling, "include_prompt": True}))
    assert not np.allclose(encoder_vectors(tmp_path / "small", TEXTS[:8], options()), own, atol=1e-3)


def test_a_card_and_a_report_say_whose_student_it_is_and_how_well_it_learned(trained, tmp_path, folder):
    student, found = trained(settings(widths=(4,)))
    away = dataclasses.replace(
        found, report=dataclasses.replace(found.report, origins=dataclasses.replace(ORIGINS, teacher=str(folder)))
    )
    save_projection(student, away, tmp_path / "small")
    card = (tmp_path / "small" / CARD).read_text()
    assert str(folder) not in card
    for score in found.report.widths:
        assert f"| {score.width} | {score.pca:.4f} | {score.before:.4f} | {score.student:.4f} |" in card
    assert json.loads((tmp_path / "small" / REPORT).read_text())["origins"]["layers"] == [0, 1]
    with pytest.raises(UsageError, match="is there already"):
        save_projection(student, found, tmp_path / "small")


# what cannot be


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"width": 0}, "a width of 0"),
        ({"losses": ()}, "found the losses none"),
        ({"losses": (("mse", 1.0), ("mse", 2.0))}, "each once"),
        ({"losses": (("mse", 0.0),)}, "a weight above 0"),
        ({"losses": (("mse", float("nan")),)}, "a weight above 0"),
        ({"losses": (("kl", 1.0),)}, "no loss; there are: mse, cosine, similarity"),
        ({"widths": (8,)}, "numbers from 1 to 7"),
        ({"widths": (0,)}, "numbers from 1 to 7"),
        ({"activation": "gelu"}, "no activation"),
        ({"centring": "half"}, "no kind of PCA"),
        ({"start": "random"}, "no beginning"),
        ({"choice": "test"}, "no measure"),
        ({"learns": "half"}, "no thing to learn"),
        ({"held_out": 2}, "expected at least 3"),
    ],
)
def test_settings_that_no_student_can_learn_by_are_refused(wrong, says):
    with pytest.raises(UsageError, match=says):
        settings(**wrong)


def test_too_few_texts_and_too_many_dimensions_are_refused(trained):
    with pytest.raises(UsageError, match="found 19 different texts, expected 20 at the very least"):
        trained(settings(), texts=TEXTS[:19])
    with pytest.raises(UsageError, match="found a width of 33, expected at most 32, which the teacher has"):
        trained(settings(width=33))


def test_a_mapping_takes_the_centre_away_first():
    space = TeacherSpace(np.array([[2.0], [1.0]], np.float32), np.array([1.0, 0.0], np.float32))
    np.testing.assert_array_equal(space(np.array([[1, 0], [2, 5]], np.float32)), [[0], [7]])
