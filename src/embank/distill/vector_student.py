"""Distilled projection: a student and a projection learn together what a PCA leaves of a teacher's vectors.

Homomorphic projective distillation (2203.07687), with what was found better since: the projection begins as the PCA,
terms of angles and of similarities stand beside the squared error, and prefixes of the vector are trained as well
(Kusupati et al. 2022, "Matryoshka Representation Learning", arXiv 2205.13147).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float32, Float64

from embank.arrays import Vectors
from embank.distill.settings import Origins, ProjectionReport, ProjectionSettings, TeacherSpace, Term, WidthScore
from embank.encoders.capture import states
from embank.encoders.pooling import pool as pooled
from embank.errors import UsageError
from embank.linalg.cosine import unit
from embank.linalg.rotations import leading_axes
from embank.metrics.ranking import spearman
from embank.models.full import TokenLessons
from embank.models.shortened import shortened
from embank.texts import Text, keys_and_faults
from embank.training.datasets import in_stretches
from embank.training.fit import Part, outputs_of
from embank.training.loop import Run, on_device, train
from embank.training.objectives import Which
from embank.training.precision import precision
from embank.training.settings import TrainingWatch

_EPOCHS = 5
_RATE = 1e-4
"""Both as in the paper, section 4.1."""

_SAMPLE = 4096
"""Texts from which the first weights of the projection are computed, and what is kept of it at the end."""

_RIDGE = 1e-3
"""Of the mean square of the student's dimensions, added to each in the regression."""

_INSIDE = 0.95
"""The largest target of an activation that ends at 1."""

_BUDGET = 4096
"""Tokens of a batch that is only read."""

_PARTS = 20
_PAIRS = 1000
"""Pairs that are compared of each part of the range of similarities, at the most."""

_COMPARED = 1024
"""Texts whose pairs say how far the teacher's similarities spread."""


@dataclass(frozen=True, eq=False)
class Student:
    """An encoder that is to be distilled.

    Attributes:
        model: a transformers encoder that nobody else uses.
        n_layers: how many layers it has.
        encoder: a `TransformerEncoder` whose tokenizer, folder and pooling are its own.
        layers: numbers of the layers that it kept of that encoder; empty: all of them.
    """

    model: Any
    n_layers: int
    encoder: Any
    layers: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class TrainedProjection:
    """A distilled student, and how it came about.

    Attributes:
        module: the student with its projection, holding the weights of the best pass.
        space: what its vectors stand for in the teacher's.
        report: what training found.
    """

    module: "ProjectedStudent"
    space: TeacherSpace
    report: ProjectionReport


def student_of(encoder: Any, layers: Sequence[int] = ()) -> Student:
    """An encoder as a student, whole or with some of its layers.

    Args:
        encoder: a `TransformerEncoder` in float32; a copy is made where layers are chosen.
        layers: their numbers, ascending; empty: all.

    Raises:
        UsageError: the encoder has no such layer, or is of a family that cannot be taken apart.
    """
    if not layers:
        return Student(encoder.model, encoder.n_layers, encoder)
    if list(layers) != sorted(set(layers)) or layers[0] < 0 or layers[-1] >= encoder.n_layers:
        listed = ", ".join(map(str, layers))
        raise UsageError(f"found the layers {listed} for a student; this encoder has 0 to {encoder.n_layers - 1}")
    short = shortened(encoder, tuple(layers))
    return Student(short.model, short.n_layers, encoder, tuple(layers))


class ProjectedStudent(torch.nn.Module):
    """All layers of a student, its pooling, and a projection; everything is trained."""

    def __init__(self, student: Student, settings: ProjectionSettings, wide: int) -> None:
        """Put a projection on a student of a teacher so wide; what it begins as is set by `begin`."""
        super().__init__()
        self.model, self.n_layers, self.pooling = student.model, student.n_layers, student.encoder.pooling
        self.activation, self.dropout = settings.activation, settings.dropout
        width = student.encoder.width
        self.projection = torch.nn.Linear(width, settings.learned(wide), device="meta").to_empty(device="cpu")
        self.to(student.encoder.device)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own signature
        """Turn dropout on, where the settings want any, or off."""
        super().train(mode and self.dropout)
        return self

    def vectors(self, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """The student's own pooled vectors, `[batch, student's width]` in float32."""
        (last,) = states(self.model, inputs, [self.n_layers], self.n_layers)
        return pooled(last, pool, self.pooling)

    def forward(self, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Vectors of texts.

        Args:
            pool: `[batch, length]`, 1 where pooling looks.
            inputs: `input_ids`, `attention_mask`, and `token_type_ids` where the encoder has them.

        Returns:
            `[batch, width]` in float32, not scaled to length one.
        """
        own = self.vectors(pool, **inputs)
        with torch.autocast(own.device.type, enabled=False):
            found: torch.Tensor = self.projection(own.float())
            return torch.tanh(found) if self.activation == "tanh" else found

    @torch.no_grad()
    def begin(self, weight: Vectors, bias: Vectors) -> None:
        """Set the projection to `own @ weight + bias`."""
        self.projection.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T, np.float32)))
        self.projection.bias.copy_(torch.from_numpy(np.asarray(bias, np.float32)))

    @torch.no_grad()
    def reduce(self, axes: Vectors) -> None:
        """Give `vectors @ axes`, `[learned, width]`; where an activation follows, these may do no more than choose."""
        turn = torch.from_numpy(axes.T.copy()).to(self.projection.weight)
        kept = torch.nn.Linear(self.projection.in_features, len(turn), device="meta").to_empty(device=turn.device)
        kept.weight.copy_(turn @ self.projection.weight)
        kept.bias.copy_(turn @ self.projection.bias)
        self.projection = kept

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Every parameter that bears on the vector."""
        return {name: parameter for name, parameter in self.named_parameters() if "pooler" not in name}


def teacher_space(vectors: Vectors, settings: ProjectionSettings) -> TeacherSpace:
    """The PCA of a teacher's vectors, `[texts, teacher's width]`, scaled where the activation needs it.

    It has as many dimensions as are learned, which may be more than are kept.

    Raises:
        UsageError: fewer dimensions than are asked for.
    """
    wide = vectors.shape[1]
    if settings.width > wide:
        raise UsageError(f"found a width of {settings.width}, expected at most {wide}, which the teacher has")
    centre = np.zeros(wide, np.float32)
    if settings.centring == "centred":
        centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    axes = leading_axes(vectors - centre, settings.learned(wide)).astype(np.float32)
    found = TeacherSpace(axes, centre)
    if settings.activation == "identity":
        return found
    largest = float(np.abs(found(vectors)).max())
    share = _INSIDE / largest if largest > _INSIDE else 1.0
    return TeacherSpace(axes * np.float32(share), centre)


def train_projection(
    student: Student,
    origins: Origins,
    taught: tuple[Sequence[Text], Vectors],
    settings: ProjectionSettings,
    keep: tuple[Path | None, TrainingWatch] = (None, lambda _: None),
) -> TrainedProjection:
    """Distil a student.

    Args:
        student: whose model is trained, in place.
        origins: where it comes from, for the report.
        taught: different texts, and the teacher's vectors of them, `[texts, teacher's width]`.
        settings: how.
        keep: where a checkpoint is kept, so that a training that was killed goes on, or None; and who is told after
            every step.

    Raises:
        UsageError: too few texts, or a teacher of too few dimensions.
        HeadError: training went astray.
    """
    texts, vectors = taught
    training = settings.training
    training = replace(training, rate=training.rate or _RATE, epochs=training.epochs or _EPOCHS)
    settings = replace(settings, training=training)
    chosen, held = settings.divided(len(texts))
    space = teacher_space(vectors[chosen], settings)
    module = ProjectedStudent(student, settings, vectors.shape[1])
    lessons = TokenLessons(student.encoder, student.encoder.tokens(texts), None)
    goal = Goal(vectors, space, chosen, settings)
    module.begin(*_beginning(module, lessons, goal, chosen))
    before = _scores(module, lessons, goal, held)
    identity = _identity(student, texts, vectors, settings)

    def validate() -> float:
        if settings.choice == "loss":
            outputs = torch.from_numpy(np.stack(outputs_of(module, lessons, held)))
            return -float(goal.loss(outputs, held))
        return float(np.mean(list(_scores(module, lessons, goal, held).values())))

    def loss(outputs: torch.Tensor, which: Which) -> torch.Tensor:
        return goal.loss(outputs, chosen[which])

    checkpoint, watch = keep
    trained = train(Run(module, Part(lessons, chosen), loss, validate, training, identity, checkpoint), watch)
    axes = _kept(module, lessons, chosen, settings)
    after = goal.spearmans(np.stack(outputs_of(module, lessons, held)) @ axes, held)
    own = goal.spearmans(goal.targets[held], held)
    position = trained.position
    report = ProjectionReport(
        origins,
        vectors.shape[1],
        len(chosen),
        len(held),
        [WidthScore(width, own[width], before[width], after[width]) for width in settings.all_widths],
        position.scores,
        position.best_epoch,
        position.step,
        round(position.seconds, 1),
        trained.resumed,
        asdict(settings),
    )
    module.reduce(axes)
    return TrainedProjection(module, TeacherSpace(space.axes @ axes, space.centre), report)


class Goal:
    """What a student's vectors are compared with: the teacher's whole vectors, and what the PCA leaves of them.

    Each term is divided by what it is where nothing was learned, so that weights mean the same whatever the teacher:
    squared errors by the targets' mean square, distances of similarities by the variance of the teacher's.

    Attributes:
        space: from the teacher's vectors to targets.
        targets: `[texts, width]`.
        settings: of the distillation.
    """

    def __init__(self, vectors: Vectors, space: TeacherSpace, chosen: Which, settings: ProjectionSettings) -> None:
        """Compare with `vectors`, `[texts, teacher's width]`; constants are taken from the `chosen` texts."""
        self.space, self.targets, self._vectors, self.settings = space, space(vectors), vectors, settings
        squares = np.square(self.targets[chosen].astype(np.float64)).mean(axis=0)
        widths = (len(squares),) if settings.turned else tuple(sorted({*settings.all_widths, len(squares)}))
        self._squares = {width: max(float(squares[:width].mean()), 1e-12) for width in widths}
        some = unit(vectors[chosen[:: max(1, len(chosen) // _COMPARED)][:_COMPARED]] - space.centre)
        self._variance = max(float((some @ some.T)[np.triu_indices(len(some), 1)].var()), 1e-12)

    def loss(self, outputs: torch.Tensor, which: Which) -> torch.Tensor:
        """The loss of a student's vectors `[batch, learned]` of some texts: the mean over all widths."""
        targets = torch.from_numpy(self.targets[which]).to(outputs.device)
        # With a mean taken away from the targets, similarities are those of vectors without it as well.
        whole = _units(torch.from_numpy(self._vectors[which] - self.space.centre).to(outputs.device))
        similarities = whole @ whole.T
        total = outputs.new_zeros(())
        for width in self._squares:
            for term, weight in self.settings.losses:
                own = self._term(term, outputs[:, :width], targets[:, :width], similarities)
                total = total + weight * own
        return total / len(self._squares)

    def spearmans(self, outputs: Vectors, which: Which) -> dict[int, float]:
        """For every width, the rank correlation of cosines of pairs with those of the teacher's whole vectors."""
        whole = unit(self._vectors[which])
        similarities = whole @ whole.T
        pairs = spread_pairs(similarities)
        found = {}
        for width in self.settings.all_widths:
            own = unit(outputs[:, :width])
            found[width] = spearman((own @ own.T)[pairs], similarities[pairs])
        return found

    def _term(
        self, term: Term, outputs: torch.Tensor, targets: torch.Tensor, similarities: torch.Tensor
    ) -> torch.Tensor:
        if term == "mse":
            return (outputs - targets).square().mean() / self._squares[outputs.shape[1]]
        own = _units(outputs)
        if term == "cosine":
            return 1 - (own * _units(targets)).sum(-1).mean()
        pairs = len(own) * (len(own) - 1)
        # The diagonal is 1 on both sides; a batch of one text has no pairs.
        return (own @ own.T - similarities).square().sum() / (max(pairs, 1) * self._variance)


def spread_pairs(similarities: Float32[np.ndarray, "texts texts"]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of texts from all over the range of similarities, as many from each part of it as there are.

    Nearly all pairs of a corpus have nothing in common: a correlation over all of them would say little of those that
    have. No pair is drawn at random.

    Returns:
        Numbers of the first and of the second texts.
    """
    first, second = np.triu_indices(len(similarities), 1)
    found = similarities[first, second]
    low, high = float(found.min()), float(found.max())
    parts = ((found - low) * (_PARTS / (high - low) if high > low else 0.0)).astype(np.int64)
    kept = []
    for part in range(_PARTS + 1):  # the highest similarity has a part of its own
        inside = np.flatnonzero(parts == part)
        kept.append(inside[:: max(1, len(inside) // _PAIRS)][:_PAIRS])
    chosen = np.concatenate(kept)
    return first[chosen], second[chosen]


def _kept(module: ProjectedStudent, lessons: TokenLessons, chosen: Which, settings: ProjectionSettings) -> Vectors:
    """What is kept of the dimensions that were learned, `[learned, width]`: the strongest, or the first ones."""
    if not settings.turned:
        return np.eye(module.projection.out_features, settings.width, dtype=np.float32)
    some = chosen[:: max(1, len(chosen) // _SAMPLE)][:_SAMPLE]
    return leading_axes(np.stack(outputs_of(module, lessons, some)), settings.width).astype(np.float32)


def _units(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def _beginning(module: ProjectedStudent, lessons: TokenLessons, goal: Goal, chosen: Which) -> tuple[Vectors, Vectors]:
    """Weight `[student's width, width]` and bias of the projection before training."""
    some = chosen[:: max(1, len(chosen) // _SAMPLE)][:_SAMPLE]
    own, targets = _own_vectors(module, lessons, some), goal.targets[some].astype(np.float64)
    if module.activation == "tanh":
        targets = np.arctanh(targets.clip(-_INSIDE, _INSIDE))
    axes = goal.space.axes
    middle, aim = own.mean(axis=0), targets.mean(axis=0)
    own, targets = own - middle, targets - aim
    if goal.settings.start == "pca" and own.shape[1] == len(axes):
        # The student's vectors are as long as they are: one number brings the PCA of them to the size of the targets.
        turned = own @ axes
        weight = axes * ((turned * targets).sum() / max((turned * turned).sum(), np.finfo(np.float32).tiny))
    else:
        products = own.T @ own
        products += np.eye(len(products)) * (_RIDGE * np.trace(products) / len(products) + np.finfo(np.float32).tiny)
        weight = np.linalg.solve(products, own.T @ targets)
    return weight.astype(np.float32), (aim - middle @ weight).astype(np.float32)


def _own_vectors(module: ProjectedStudent, lessons: TokenLessons, which: Which) -> Float64[np.ndarray, "texts width"]:
    """The student's pooled vectors of some texts, before the projection."""
    module.train(mode=False)
    found = np.empty((len(which), module.projection.in_features))
    with torch.inference_mode():
        for places in in_stretches(lessons.lengths[which], _BUDGET):
            with precision():
                vectors = module.vectors(**on_device(lessons.inputs(which[places]), module))
            found[places] = vectors.float().cpu().numpy()
    return found


def _scores(module: ProjectedStudent, lessons: TokenLessons, goal: Goal, held: Which) -> dict[int, float]:
    """For every width, how a student's similarities go with the teacher's, on held-out texts."""
    return goal.spearmans(np.stack(outputs_of(module, lessons, held)), held)


def _identity(student: Student, texts: Sequence[Text], vectors: Vectors, settings: ProjectionSettings) -> str:
    """Digest of all that decides the outcome."""
    reading = student.encoder.reading
    keys, _ = keys_and_faults(texts)
    parts = [asdict(settings), reading.weights, reading.tokenizer, reading.prompt, reading.max_tokens, student.layers]
    digest = blake2b(repr(parts).encode() + b"".join(key or b"" for key in keys), digest_size=16)
    digest.update(np.ascontiguousarray(vectors).data)
    return digest.hexdigest()
