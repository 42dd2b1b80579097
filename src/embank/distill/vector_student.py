"""Distilled projection: a student and a projection together learn a teacher's vectors after a PCA.

Homomorphic projective distillation (2203.07687), with what was found better since: the projection begins as the
regression to the teacher's vectors, a term of angles stands beside the squared error, and prefixes of the vector are
scored, or trained as well (Kusupati et al. 2022, "Matryoshka Representation Learning", arXiv 2205.13147).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Self

import numpy as np
import torch
from jaxtyping import Float64
from transformers import PreTrainedModel

from embank.arrays import Vectors
from embank.distill.settings import Origins, ProjectionReport, ProjectionSettings, TeacherSpace, WidthScore
from embank.distill.vector_loss import VectorObjective
from embank.encoders.capture import states
from embank.encoders.pooling import pool as pooled
from embank.encoders.torch import TransformerEncoder
from embank.errors import UsageError
from embank.linalg.rotations import leading_axes
from embank.models.shortened import shortened
from embank.texts import Text
from embank.training.checkpoint import checkpoint_file, training_identity
from embank.training.datasets import LabelledDataset, Which, batches_by_length
from embank.training.loop import Run, train
from embank.training.outputs import on_device, predict_outputs
from embank.training.precision import precision
from embank.training.settings import TrainingWatch
from embank.training.token_inputs import TokenInputs

_EPOCHS = 5
_RATE = 1e-4
"""Both as in the paper, section 4.1."""

_SAMPLE = 4096
"""Texts from which the first weights of the projection are computed, and what is kept of it at the end."""

_RIDGE = 1e-3
"""Of the mean square of the student's dimensions, added to each in the regression."""

_INSIDE = 0.95
"""The largest target of a tanh, which ends at 1."""

_BUDGET = 4096
"""Tokens of a batch that is only read."""


@dataclass(frozen=True, eq=False)
class Student:
    """An encoder that is to be distilled.

    Attributes:
        model: a transformers encoder that nobody else uses.
        n_layers: how many layers it has.
        encoder: a `TransformerEncoder` whose tokenizer, folder and pooling are its own.
        layers: numbers of the layers that it kept of that encoder; empty: all of them.
    """

    model: PreTrainedModel
    n_layers: int
    encoder: TransformerEncoder
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


def student_of(encoder: TransformerEncoder, layers: Sequence[int] = ()) -> Student:
    """An encoder as a student, whole or with some of its layers.

    Args:
        encoder: in float32; a copy is made where layers are chosen.
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
        """Put a projection on a student of a teacher so wide; its first weights are set by `init_projection`."""
        super().__init__()
        self.model, self.n_layers, self.pooling = student.model, student.n_layers, student.encoder.pooling
        self.bends = settings.bends
        width = student.encoder.width
        self.projection = torch.nn.Linear(width, settings.learned(wide), device="meta").to_empty(device="cpu")
        self.to(student.encoder.device)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own signature
        """Stay in evaluation mode: a student learns without dropout (bench/log/2026-11.md)."""
        del mode
        return super().train(mode=False)

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
            return torch.tanh(found) if self.bends else found

    @torch.no_grad()
    def init_projection(self, weight: Vectors, bias: Vectors) -> None:
        """Set the projection to `own @ weight + bias`."""
        self.projection.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T, np.float32)))
        self.projection.bias.copy_(torch.from_numpy(np.asarray(bias, np.float32)))

    @torch.no_grad()
    def reduce(self, axes: Vectors) -> None:
        """Give `vectors @ axes`, `[learned, width]`; where a tanh follows, these may do no more than choose."""
        turn = torch.from_numpy(axes.T.copy()).to(self.projection.weight)
        kept = torch.nn.Linear(self.projection.in_features, len(turn), device="meta").to_empty(device=turn.device)
        kept.weight.copy_(turn @ self.projection.weight)
        kept.bias.copy_(turn @ self.projection.bias)
        self.projection = kept

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Every parameter that bears on the vector."""
        return {name: parameter for name, parameter in self.named_parameters() if "pooler" not in name}


def teacher_space(vectors: Vectors, settings: ProjectionSettings) -> TeacherSpace:
    """The PCA of a teacher's vectors, `[texts, teacher's width]`, not centred; scaled where a tanh follows.

    It has as many dimensions as are learned, which may be more than are kept.

    Raises:
        UsageError: fewer dimensions than are asked for.
    """
    wide = vectors.shape[1]
    if settings.width > wide:
        raise UsageError(f"found a width of {settings.width}, expected at most {wide}, which the teacher has")
    axes = leading_axes(vectors, settings.learned(wide)).astype(np.float32)
    found = TeacherSpace(axes, np.zeros(wide, np.float32))
    if not settings.bends:
        return found
    largest = float(np.abs(found(vectors)).max())
    share = _INSIDE / largest if largest > _INSIDE else 1.0
    return TeacherSpace(axes * np.float32(share), found.centre)


@dataclass(frozen=True, eq=False)
class TeacherVectors:
    """Texts, and a teacher's vectors of them.

    Attributes:
        texts: different ones.
        vectors: the teacher's, `[texts, teacher's width]`.
    """

    texts: Sequence[Text]
    vectors: Vectors


def train_projection(
    student: Student,
    origins: Origins,
    teacher: TeacherVectors,
    settings: ProjectionSettings,
    checkpoint: Path | None = None,
    watch: TrainingWatch = lambda _: None,
) -> TrainedProjection:
    """Distil a student.

    Args:
        student: whose model is trained, in place.
        origins: where it comes from, for the report.
        teacher: texts and the teacher's vectors of them.
        settings: how.
        checkpoint: where a checkpoint is kept, so that a training that was killed goes on, or None.
        watch: progress callback, called after every step.

    Raises:
        UsageError: too few texts, or a teacher of too few dimensions.
        HeadError: training went astray.
    """
    loop = settings.training
    settings = replace(settings, training=replace(loop, rate=loop.rate or _RATE, epochs=loop.epochs or _EPOCHS))
    vectors, wide = teacher.vectors, teacher.vectors.shape[1]
    chosen, held = settings.divided(len(teacher.texts))
    objective = VectorObjective(vectors, teacher_space(vectors[chosen], settings), chosen, settings)
    inputs = TokenInputs(student.encoder, teacher.texts)
    module = ProjectedStudent(student, settings, wide)
    module.init_projection(*_regression(module, inputs, objective, chosen))

    def spearmans() -> dict[int, float]:
        return objective.spearmans(np.stack(predict_outputs(module, inputs, held)), held)

    before = spearmans()
    run = Run(
        module=module,
        dataset=LabelledDataset(inputs, objective, chosen),
        validate=lambda: float(np.mean(list(spearmans().values()))),
        settings=settings.training,
        checkpoint=checkpoint_file(checkpoint, _identity(student, teacher, settings)),
    )
    trained = train(run, watch)
    axes = _kept(module, inputs, chosen, settings)
    after = objective.spearmans(np.stack(predict_outputs(module, inputs, held)) @ axes, held)
    own = objective.spearmans(objective.all_targets[held], held)
    position = trained.position
    report = ProjectionReport(
        origins=origins,
        teacher_width=wide,
        texts=len(chosen),
        held_out=len(held),
        widths=[WidthScore(width, own[width], before[width], after[width]) for width in settings.all_widths],
        passes=position.scores,
        best=position.best_epoch,
        steps=position.step,
        seconds=round(position.seconds, 1),
        resumed=trained.resumed,
        settings=asdict(settings),
    )
    module.reduce(axes)
    return TrainedProjection(module, TeacherSpace(objective.space.axes @ axes, objective.space.centre), report)


def _kept(module: ProjectedStudent, inputs: TokenInputs, chosen: Which, settings: ProjectionSettings) -> Vectors:
    """Axes of the dimensions that are kept, `[learned, width]`: the strongest, or the first ones."""
    if settings.bends:
        return np.eye(module.projection.out_features, settings.width, dtype=np.float32)
    some = _sample(chosen)
    return leading_axes(np.stack(predict_outputs(module, inputs, some)), settings.width).astype(np.float32)


def _sample(chosen: Which) -> Which:
    """Some of the texts, from all over."""
    return chosen[:: max(1, len(chosen) // _SAMPLE)][:_SAMPLE]


def _regression(
    module: ProjectedStudent, inputs: TokenInputs, objective: VectorObjective, chosen: Which
) -> tuple[Vectors, Vectors]:
    """The ridge regression of targets on the student's own vectors: weight `[student's width, learned]`, and bias."""
    some = _sample(chosen)
    own, targets = _own_vectors(module, inputs, some), objective.all_targets[some].astype(np.float64)
    if module.bends:
        targets = np.arctanh(targets.clip(-_INSIDE, _INSIDE))
    middle, aim = own.mean(axis=0), targets.mean(axis=0)
    own, targets = own - middle, targets - aim
    products = own.T @ own
    products += np.eye(len(products)) * (_RIDGE * np.trace(products) / len(products) + np.finfo(np.float32).tiny)
    weight = np.linalg.solve(products, own.T @ targets)
    return weight.astype(np.float32), (aim - middle @ weight).astype(np.float32)


def _own_vectors(module: ProjectedStudent, inputs: TokenInputs, which: Which) -> Float64[np.ndarray, "texts width"]:
    """The student's pooled vectors of some texts, before the projection."""
    module.train(mode=False)
    found = np.empty((len(which), module.projection.in_features))
    with torch.inference_mode():
        for places in batches_by_length(inputs.lengths[which], _BUDGET):
            with precision():
                vectors = module.vectors(**on_device(inputs.inputs(which[places]), module))
            found[places] = vectors.float().cpu().numpy()
    return found


def _identity(student: Student, teacher: TeacherVectors, settings: ProjectionSettings) -> str:
    """Digest of all that decides the outcome."""
    return training_identity(
        {
            "what": "projection",
            "settings": settings,
            "reading": student.encoder.reading,
            "layers": student.layers,
            "texts": list(teacher.texts),
            "vectors": blake2b(np.ascontiguousarray(teacher.vectors).data, digest_size=16).hexdigest(),
        }
    )
