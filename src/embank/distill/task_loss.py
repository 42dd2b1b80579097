"""A distilled student as a torch module, the outputs of its teacher, and the loss of both.

Three terms: the labels' own loss; the distance between the outputs of student and teacher, softened by a temperature
(Hinton et al. 2015, arXiv 1503.02531); and the distance between the student's states and those of the teacher's layers
at the same share of the depth (Sun et al. 2019, "Patient Knowledge Distillation", arXiv 1908.09355, which compares one
position per text; here it is every token, as in TinyBERT, Jiao et al. 2020, arXiv 1909.10351).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from embank.distill.task_settings import StudentSettings
from embank.encoders.capture import states
from embank.labels.kinds import Kind
from embank.labels.tags import IGNORED
from embank.models.full import EncoderWithHead
from embank.training.datasets import Inputs, InputSource, Which, batches_by_length
from embank.training.objectives import Targets, TaskObjective
from embank.training.outputs import on_device
from embank.training.precision import precision

KEPT = 2**30
"""Bytes of a teacher's states that are kept in memory; where they are more, they are computed anew for every batch."""

_BUDGET = 4096
"""Tokens of a batch that the teacher only reads."""

_NOWHERE = -1e4
"""The logit of a place where no span may begin or end: finite, so that nothing times it is nothing."""


@dataclass(frozen=True, eq=False)
class StudentOutputs:
    """Outputs of a student for a batch while it is trained.

    Attributes:
        logits: as `EncoderWithHead` gives them.
        states: of every layer, each `[batch, length, width]`.
    """

    logits: torch.Tensor
    states: Sequence[torch.Tensor]


class Student(torch.nn.Module):
    """A short encoder with an output layer; while it is trained, it shows its states as well."""

    def __init__(self, model: EncoderWithHead, n_layers: int) -> None:
        """Train `model`, whose encoder has `n_layers` layers."""
        super().__init__()
        self.live, self.n_layers = model, n_layers

    def forward(self, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor | StudentOutputs:
        """Run all layers: logits, and in training mode states as well."""
        if not self.training:
            logits: torch.Tensor = self.live(pool, **inputs)
            return logits
        shown = states(self.live.model, inputs, range(1, self.n_layers + 1), self.n_layers)
        return StudentOutputs(self.live.read(shown[-1], pool), shown)

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Every parameter that bears on the output."""
        return {f"live.{name}": parameter for name, parameter in self.live.trainable().items()}


@dataclass(frozen=True, eq=False)
class Teacher:
    """A fine-tuned encoder, and the layers whose states its student learns.

    Attributes:
        model: encoder and output layer; they are only read.
        layers: whose states are shown, one for each state of the student; empty where none are.
        n_layers: how many layers the encoder has.
    """

    model: EncoderWithHead
    layers: tuple[int, ...]
    n_layers: int

    def read(self, inputs: Inputs) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Logits and states of a batch, in float32."""
        given = dict(inputs)
        pool = given.pop("pool")
        self.model.train(mode=False)
        with torch.no_grad(), precision():
            *shown, last = states(self.model.model, given, [*self.layers, self.n_layers], self.n_layers)
            logits = self.model.read(last, pool)
        return logits.float(), [state.float() for state in shown]


class TeacherOutputs:
    """Outputs of a teacher for training examples, by their numbers.

    Logits are read once and kept as float16, and so are states where they weigh at most `most` bytes.

    Attributes:
        teacher: whose outputs they are.
        inputs: of the examples.
        keeps_states: whether states are kept, not computed anew.
    """

    def __init__(self, teacher: Teacher, inputs: InputSource, which: Which, most: int = KEPT) -> None:
        """Have the teacher read some examples."""
        self.teacher, self.inputs = teacher, inputs
        lengths = inputs.lengths[which]
        width = teacher.model.output.in_features
        weight = int(lengths.sum()) * width * len(teacher.layers) * np.dtype(np.float16).itemsize
        self.keeps_states = weight <= most
        self._logits: dict[int, np.ndarray] = {}
        self._states: dict[int, list[np.ndarray]] = {}
        for places in batches_by_length(lengths, _BUDGET):
            logits, shown = teacher.read(on_device(inputs.inputs(which[places]), teacher.model))
            rows = logits.half().cpu().numpy()
            blocks = [state.half().cpu().numpy() for state in shown] if self.keeps_states else []
            for row, place in enumerate(places.tolist()):
                number, length = int(which[place]), lengths[place]
                self._logits[number] = rows[row] if rows.ndim == 2 else rows[row, :length].copy()  # noqa: PLR2004
                self._states[number] = [block[row, :length].copy() for block in blocks]

    def logits(self, which: Which, length: int) -> torch.Tensor:
        """The teacher's logits: `[batch, outputs]`, or `[batch, length, outputs]` of kinds that read tokens."""
        own = [self._logits[at] for at in which.tolist()]
        return torch.from_numpy(np.stack(own) if own[0].ndim == 1 else _padded(own, length)).float()

    def states(self, which: Which, length: int) -> list[torch.Tensor]:
        """The teacher's states, each `[batch, length, width]`; values at padding are meaningless."""
        if not self.keeps_states:
            return self.teacher.read(on_device(self.inputs.inputs(which), self.teacher.model))[1]
        own = [self._states[at] for at in which.tolist()]
        layers = range(len(self.teacher.layers))
        return [torch.from_numpy(_padded([one[layer] for one in own], length)).float() for layer in layers]


@dataclass(frozen=True, eq=False)
class StudentTargets:
    """Targets of a student for a batch.

    Attributes:
        labels: as the task's objective gives them.
        logits: the teacher's.
        states: the teacher's, one for each state of the student; empty where none are compared.
        mask: `[batch, length]`, where there is a token.
    """

    labels: Targets
    logits: torch.Tensor
    states: list[torch.Tensor]
    mask: torch.Tensor


@dataclass(frozen=True, eq=False)
class StudentObjective:
    """The labels' own loss, the distance to the teacher's outputs, and that to its states.

    Attributes:
        task: what labels ask for.
        teacher: what the teacher gives.
        settings: weights and temperature.
    """

    task: TaskObjective
    teacher: TeacherOutputs
    settings: StudentSettings

    def targets(self, which: Which, length: int) -> StudentTargets:
        """Targets of some examples."""
        shown = self.teacher.states(which, length) if self.teacher.teacher.layers else []
        mask = torch.from_numpy(np.arange(length) < self.teacher.inputs.lengths[which][:, None])
        return StudentTargets(self.task.targets(which, length), self.teacher.logits(which, length), shown, mask)

    def loss(self, outputs: StudentOutputs, targets: StudentTargets) -> torch.Tensor:
        """The loss of a student's logits and states on a batch."""
        settings, logits = self.settings, outputs.logits
        hard = self.task.loss(logits, targets.labels)
        labels = targets.labels
        where = labels.values != IGNORED if labels.allowed is None else labels.allowed > 0
        teacher = targets.logits.to(logits.device)
        soft = soft_loss(self.task.kind, logits, teacher, where.to(logits.device), settings.temperature)
        total = settings.label_weight * hard + (1 - settings.label_weight) * soft
        if targets.states:
            mask = targets.mask.to(logits.device)
            total = total + settings.hidden_weight * hidden_loss(outputs.states, targets.states, mask)
        return total


def soft_loss(
    kind: Kind, student: torch.Tensor, teacher: torch.Tensor, where: torch.Tensor, temperature: float
) -> torch.Tensor:
    """How far a student's outputs are from its teacher's.

    Args:
        kind: of the task.
        student: the student's logits.
        teacher: the teacher's, of the same shape.
        where: `[batch, length]`, whether a token bears a label, or a span may begin or end there; other kinds do not
            read it.
        temperature: both are divided by it. What comes of that is multiplied by its square, so that gradients keep
            their size. It has no part in numbers.

    Returns:
        Squared error of numbers; binary cross entropy of the teacher's probabilities for several labels; otherwise the
        Kullback-Leibler divergence: a mean over texts or labelled tokens, of a span the sum of its two.
    """
    student, teacher = student.float(), teacher.float()
    if kind == "regression":
        return torch.nn.functional.mse_loss(student, teacher)
    student, teacher = student / temperature, teacher / temperature
    if kind == "multi":
        found = torch.nn.functional.binary_cross_entropy_with_logits(student, teacher.sigmoid())
        return found * temperature**2
    if kind == "tagging":
        student, teacher = student[where], teacher[where]
    if kind == "span":
        nowhere = ~where.unsqueeze(-1)
        student, teacher = (tensor.masked_fill(nowhere, _NOWHERE).transpose(1, 2) for tensor in (student, teacher))
    divergence = torch.nn.functional.kl_div(
        student.log_softmax(-1), teacher.log_softmax(-1), reduction="sum", log_target=True
    )
    return divergence / max(1, student.shape[0]) * temperature**2


def hidden_loss(student: Sequence[torch.Tensor], teacher: Sequence[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
    """How far a student's states are from its teacher's: the squared distance of states scaled to length one.

    Args:
        student: states of the student, each `[batch, length, width]`.
        teacher: as many of the teacher.
        mask: `[batch, length]`, where there is a token.

    Returns:
        A mean over tokens and layers, 0 to 4.
    """
    distances = []
    for ours, theirs in zip(student, teacher, strict=True):
        one = torch.nn.functional.normalize(ours.float()[mask], dim=-1)
        other = torch.nn.functional.normalize(theirs.to(ours.device)[mask], dim=-1)
        distances.append((one - other).square().sum(-1).mean())
    return torch.stack(distances).mean()


def _padded(blocks: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Blocks of rows as one array `[batch, length, width]`."""
    whole = np.zeros((len(blocks), length, blocks[0].shape[1]), blocks[0].dtype)
    for at, block in enumerate(blocks):
        whole[at, : len(block)] = block
    return whole
