"""A student learns its teacher's reduced vectors, depends on its seed alone, goes on after a stop, and is an encoder."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

import embank
from embank.distill.folder import save_projection
from embank.distill.settings import RECIPES, Origins, TeacherSpace
from embank.distill.vector_loss import VectorObjective, spread_pairs
from embank.distill.vector_student import TeacherVectors, student_of, teacher_space, train_projection
from embank.encoders.folder import read_folder
from embank.errors import UsageError
from embank.linalg.cosine import unit
from embank.models.encoder_folder import CARD, REPORT
from embank.search.queries import encoder_vectors
from embank.training.outputs import predict_outputs
from embank.training.token_inputs import TokenInputs
from material.distill import TEXTS, Stopped, settings
from material.multitask import opened
from material.tails import options, save_tiny

ORIGINS = Origins(teacher="tiny", column="tiny/4/mean@float16", source="source", student="tiny", layers=(0, 1))


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
        given = TeacherVectors(texts, vectors[: len(texts)])
        return student, train_projection(student, ORIGINS, given, asked, **keep)

    return train


def weights(module):
    return {name: tensor.detach().clone() for name, tensor in module.trainable().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


# the goal


def test_a_pca_that_is_not_centred_keeps_cosines(vectors):
    space = teacher_space(vectors, settings(width=12, recipe="paper"))
    assert not space.centre.any()
    true, own = (unit(some) @ unit(some).T for some in (vectors, space(vectors)))
    assert float(np.abs(own - true).mean()) < 0.05


def test_targets_of_tanh_are_scaled_into_its_range_and_stay_in_the_same_directions(vectors):
    far = vectors * 10
    plain, scaled = (teacher_space(far, settings(recipe=name)) for name in ("best", "paper"))
    assert np.abs(plain(far)).max() > 1 > np.abs(scaled(far)).max() > 0.9
    np.testing.assert_allclose(unit(plain(far)[:, :8]), unit(scaled(far)), atol=1e-5)
    small = vectors / np.abs(vectors).max() / 100
    narrow, whole = (teacher_space(small, settings(recipe=name)).axes for name in ("paper", "best"))
    np.testing.assert_array_equal(narrow, whole[:, :8])


def objective_of(vectors, which=None, **given):
    asked, every = settings(**given), np.arange(len(vectors))
    return VectorObjective(vectors, teacher_space(vectors, asked), every if which is None else which, asked)


def loss_of(objective, outputs, which):
    return float(objective.loss(outputs, objective.targets(which, 0)))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_student_that_is_the_teacher_has_nothing_to_lose_and_any_other_has(recipe, vectors):
    objective, which = objective_of(vectors, width=32, recipe=recipe), np.arange(16)
    perfect = objective.targets(which, 0)
    assert loss_of(objective, perfect, which) == pytest.approx(0, abs=1e-4)
    noise = torch.randn(perfect.shape, generator=torch.Generator().manual_seed(0))
    for other in (perfect.flip(0), perfect + noise, -perfect[:, :1].expand(-1, 32), 3 * perfect):
        assert loss_of(objective, other, which) > 0.01
    assert loss_of(objective, perfect[:1], which[:1]) == pytest.approx(0, abs=1e-4)


def test_a_loss_of_one_is_to_have_learned_nothing(vectors):
    objective, every = objective_of(vectors, recipe="paper"), np.arange(len(vectors))
    assert loss_of(objective, torch.zeros(len(every), 8), every) == pytest.approx(1, rel=1e-4)


def test_the_best_recipe_adds_the_angle_to_the_squared_error(vectors):
    objective, which = objective_of(vectors), np.arange(12)
    targets = objective.targets(which, 0)
    longer = loss_of(objective, 3 * targets, which)  # the same directions: no more than the squared error
    every = torch.from_numpy(objective.all_targets)
    squared = float((3 * targets - targets).square().mean() / every.square().mean())
    assert longer == pytest.approx(squared, rel=1e-4)
    outputs = torch.ones(12, 32)
    angle = 1 - float(torch.nn.functional.cosine_similarity(outputs, targets, dim=1).mean())
    squared = float((outputs - targets).square().mean() / every.square().mean())
    assert loss_of(objective, outputs, which) == pytest.approx(squared + angle, rel=1e-4)


def test_widths_enter_the_loss_of_the_paper(vectors):
    which, outputs = np.arange(12), torch.ones(12, 8)

    def loss(width=8, **given):
        return loss_of(objective_of(vectors, width=width, recipe="paper", **given), outputs[:, :width], which)

    whole, narrow = loss(), loss(width=4)
    assert whole != pytest.approx(narrow)
    assert loss(widths=(4,)) == pytest.approx((whole + narrow) / 2, rel=1e-5)


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


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_student_follows_its_teacher_better_after_training(trained, recipe):
    _, found = trained(settings(recipe=recipe, epochs=6, widths=(4,)))
    report = found.report
    assert [score.width for score in report.widths] == [4, 8]
    assert np.mean([score.student - score.before for score in report.widths]) > 0
    assert report.passes[report.best - 1] == max(report.passes)
    if recipe == "paper":  # the other recipe reduces after the last pass
        assert np.mean([score.student for score in report.widths]) == pytest.approx(max(report.passes), abs=1e-6)
    assert (report.texts, report.held_out, report.teacher_width) == (108, 12, 32)


def test_the_projection_begins_as_the_regression_of_targets_on_the_students_vectors(trained):
    _, found = trained(settings(rate=1e-9, epochs=1), layers=())
    assert found.report.widths[0].before == pytest.approx(found.report.widths[0].pca, abs=0.01)  # the whole teacher


def test_a_student_of_another_width_begins_by_regression(tmp_path, vectors):
    narrow = save_tiny(tmp_path / "narrow")
    student = student_of(opened(narrow), (0,))
    wide = np.hstack([vectors, vectors[:, :8]])
    found = train_projection(student, ORIGINS, TeacherVectors(TEXTS, wide), settings(epochs=1))
    assert found.report.teacher_width == 40
    assert found.report.widths[0].before > 0.3


def test_a_student_that_learns_all_dimensions_keeps_the_strongest_of_its_own(trained, vectors):
    asked = settings(epochs=6)
    chosen, held = asked.divided(len(TEXTS))
    student, found = trained(asked, layers=(0,))
    inputs = TokenInputs(student.encoder, TEXTS)
    own = np.stack(predict_outputs(found.module, inputs, chosen)).astype(np.float64)
    moments = own.T @ own / len(own)
    assert moments.shape == (8, 8)
    assert (np.diff(np.diag(moments)) < 0).all()
    assert np.abs(moments - np.diag(np.diag(moments))).max() < 0.02 * moments.max()  # no two of them say the same
    kept = VectorObjective(vectors, found.space, held, settings(recipe="paper")).spearmans(
        np.stack(predict_outputs(found.module, inputs, held)), held
    )
    (score,) = found.report.widths
    assert kept[8] == pytest.approx(score.student, abs=2e-3)
    assert score.student > score.before


def test_the_teachers_vectors_are_reduced_as_those_of_the_student_that_learned_all_of_them(trained, vectors):
    _, found = trained(settings(epochs=1, rate=1e-9), layers=())
    np.testing.assert_allclose(found.space.axes.T @ found.space.axes, np.eye(8), atol=1e-5)
    with torch.no_grad():  # the student is still the teacher: it gives what the teacher's vectors are mapped to
        given = found.module.projection(torch.from_numpy(vectors)).numpy()
    np.testing.assert_allclose(given, found.space(vectors), atol=5e-3)  # the regression is a ridge: a little short


def test_what_an_activation_bends_is_not_turned(trained, vectors):
    asked = settings(recipe="paper", epochs=1)
    _, found = trained(asked)
    space = teacher_space(vectors[asked.divided(len(TEXTS))[0]], asked)
    assert (found.module.projection.out_features, space.axes.shape) == (8, (32, 8))
    np.testing.assert_allclose(found.space.axes, space.axes)


def test_dimensions_that_are_not_kept_enter_the_loss(vectors):
    objective, every = objective_of(vectors), np.arange(len(vectors))
    right = objective.targets(every, 0)
    assert right.shape[1] == 32
    wrong = torch.cat([right[:, :8], torch.zeros(len(every), 24)], dim=1)
    assert loss_of(objective, right, every) == pytest.approx(0, abs=1e-5)
    lost = float(right[:, 8:].square().sum() / right.square().sum())
    assert loss_of(objective, wrong, every) > lost * 0.999


def test_the_same_seed_gives_the_same_student_and_another_seed_another(trained):
    first = weights(trained(settings(seed=1, epochs=1))[1].module)
    assert equal(first, weights(trained(settings(seed=1, epochs=1))[1].module))
    assert not equal(first, weights(trained(settings(seed=2, epochs=1))[1].module))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_that_was_stopped_ends_with_the_weights_of_one_that_was_not(trained, tmp_path, recipe):
    asked, checkpoint = settings(recipe=recipe), tmp_path / "training.safetensors"
    whole = trained(asked)[1]

    def stop(now):
        if now.epoch == 2 and now.step > 8:
            raise Stopped

    with pytest.raises(Stopped):
        trained(asked, checkpoint=checkpoint, watch=stop)
    other = trained(settings(recipe=recipe, rate=1e-3), checkpoint=checkpoint)[1]
    assert not other.report.resumed
    with pytest.raises(Stopped):
        trained(asked, checkpoint=checkpoint, watch=stop)
    resumed = trained(asked, checkpoint=checkpoint)[1]
    assert resumed.report.resumed
    assert equal(weights(whole.module), weights(resumed.module))
    assert whole.report.passes == resumed.report.passes


def test_a_student_learns_without_dropout(trained):
    module = trained(settings(epochs=1))[1].module
    module.train()
    assert not any(part.training for part in module.modules())


def test_held_out_texts_move_no_weight(trained, vectors):
    asked = settings(epochs=1)
    chosen, held = asked.divided(len(TEXTS))
    assert sorted([*chosen, *held]) == list(range(len(TEXTS)))
    before = weights(trained(asked)[1].module)
    vectors[held] *= -1
    try:
        assert equal(before, weights(trained(asked)[1].module))
    finally:
        vectors[held] *= -1


# the folder


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_a_student_is_a_folder_that_others_load_and_that_fills_columns(family, recipe, scaled, tmp_path):
    raw = save_tiny(tmp_path / "tiny", family)
    student = student_of(opened(raw), (0, 2))
    made = np.random.default_rng(0).normal(size=(len(TEXTS), 32)).astype(np.float32)
    found = train_projection(
        student, ORIGINS, TeacherVectors(TEXTS, made), settings(epochs=1, recipe=recipe, unit=scaled)
    )
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
        student,
        train_projection(student, ORIGINS, TeacherVectors(TEXTS, made), settings(width=5, epochs=1)),
        tmp_path / "second",
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
    found = train_projection(student, ORIGINS, TeacherVectors(TEXTS, made), settings(epochs=1))
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
    with pytest.raises(UsageError, match="exists already"):
        save_projection(student, found, tmp_path / "small")


# what cannot be


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"width": 0}, "a width of 0"),
        ({"widths": (8,)}, "numbers from 1 to 7"),
        ({"widths": (0,)}, "numbers from 1 to 7"),
        ({"recipe": "other"}, "unknown recipe 'other': choose best or paper"),
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
