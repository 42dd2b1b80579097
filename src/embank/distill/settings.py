"""The contract of distilled projection: a teacher's banked vectors go in, a small student of few dimensions comes out.

Homomorphic projective distillation (2203.07687): a student learns the teacher's vectors after a PCA. Nothing here needs
torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from embank.arrays import Vectors
from embank.errors import UsageError
from embank.training.settings import TrainingSettings

Term = Literal["mse", "cosine", "similarity"]
"""What is made small: the distance to the teacher's reduced vector, the angle to it, or the distance between the
cosines of a batch's pairs and those of the teacher's whole vectors."""

TERMS: tuple[Term, ...] = ("mse", "cosine", "similarity")

Activation = Literal["identity", "tanh"]
"""What follows the projection; `tanh` is the paper's, and needs targets between -1 and 1."""

ACTIVATIONS: tuple[Activation, ...] = ("identity", "tanh")

Centring = Literal["uncentred", "centred"]
"""Whether the mean of the teacher's vectors is taken away before the PCA."""

CENTRINGS: tuple[Centring, ...] = ("uncentred", "centred")

Start = Literal["pca", "regression"]
"""What the projection begins as: the teacher's PCA of the student's own vectors, where both are of one width, or the
ridge regression from these vectors to what the PCA leaves of the teacher's."""

STARTS: tuple[Start, ...] = ("pca", "regression")

Learns = Literal["whole", "reduced"]
"""What a student learns: the teacher's vector after the PCA and no more, as in the paper, or all of its dimensions.

Then a PCA of what the student gives at the end says which are kept, and the teacher's vectors are reduced alike; that
does better on texts unlike those that were learned from (bench/RESULTS.md)."""

LEARNS: tuple[Learns, ...] = ("whole", "reduced")

Choice = Literal["similarity", "loss"]
"""By what the best pass is chosen, on held-out texts."""

CHOICES: tuple[Choice, ...] = ("similarity", "loss")

_SHARE = 0.1
_LEAST = 20


@dataclass(frozen=True)
class ProjectionSettings:
    """How a student is distilled.

    Attributes:
        width: dimensions of its vectors.
        training: of the loop; `epochs` left open means 5, a rate left open one for all layers.
        losses: the terms of the loss, each with its weight.
        widths: shorter vectors, the first dimensions of the whole ones, that are scored, and trained as well where no
            more is learned than is kept (Matryoshka); the first dimensions of a PCA are short vectors in any case.
        activation: what follows the projection.
        centring: of the PCA.
        start: what the projection begins as.
        dropout: whether the student has the dropout of its configuration while it learns.
        choice: by what the best pass is chosen.
        held_out: texts that validate, at most; a tenth of all where that is fewer.
        unit: whether vectors are scaled to length one at the end.
        learns: all of the teacher's dimensions, or no more than `width`.
    """

    width: int = 48
    training: TrainingSettings = TrainingSettings()  # noqa: RUF009 - a frozen value
    losses: tuple[tuple[Term, float], ...] = (("mse", 1.0), ("cosine", 1.0))
    widths: tuple[int, ...] = ()
    activation: Activation = "identity"
    centring: Centring = "uncentred"
    start: Start = "regression"
    dropout: bool = False
    choice: Choice = "similarity"
    held_out: int = 1000
    unit: bool = False
    learns: Learns = "whole"

    def __post_init__(self) -> None:
        """Refuse what no student can be made by."""
        for word, known, what in (
            (self.activation, ACTIVATIONS, "activation"),
            (self.centring, CENTRINGS, "kind of PCA"),
            (self.start, STARTS, "beginning of a projection"),
            (self.choice, CHOICES, "measure to choose a pass by"),
            (self.learns, LEARNS, "thing to learn"),
            *((term, TERMS, "loss") for term, _ in self.losses),
        ):
            if word not in known:
                raise UsageError(f"{word!r} is no {what}; there are: {', '.join(known)}")
        terms = [term for term, _ in self.losses]
        if not terms or len(set(terms)) < len(terms):
            raise UsageError(f"found the losses {', '.join(terms) or 'none'}, expected at least one, each once")
        if not all(0 < weight < float("inf") for _, weight in self.losses):
            raise UsageError(f"found the losses {dict(self.losses)}, expected a weight above 0 for each")
        if self.width < 1:
            raise UsageError(f"found a width of {self.width}, expected at least 1")
        if any(not 0 < width < self.width for width in self.widths):
            raise UsageError(
                f"found widths {self.widths} to train as well, expected numbers from 1 to {self.width - 1}"
            )
        if self.held_out < 3:  # noqa: PLR2004 - below that, pairs have no order
            raise UsageError(f"found {self.held_out} texts that validate, expected at least 3")

    @property
    def all_widths(self) -> tuple[int, ...]:
        """Every width that is trained, ascending."""
        return tuple(sorted({*self.widths, self.width}))

    def learned(self, wide: int) -> int:
        """Dimensions that are learned of a teacher's, at least as many as are kept."""
        return wide if self.learns == "whole" else self.width

    @property
    def turned(self) -> bool:
        """Whether a PCA of the student's own vectors ends it; what an activation bends cannot be turned any more."""
        return self.learns == "whole" and self.activation == "identity"

    def divided(self, texts: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the texts that are trained on and of those that validate, both ascending; a seed decides.

        Raises:
            UsageError: too few texts.
        """
        if texts < _LEAST:
            raise UsageError(f"found {texts} different texts, expected {_LEAST} at the very least, and some thousand")
        order = np.random.default_rng(self.training.seed).permutation(texts)
        held = max(3, min(self.held_out, int(_SHARE * texts)))
        return np.sort(order[held:]), np.sort(order[:held])


@dataclass(frozen=True, eq=False)
class TeacherSpace:
    """From the teacher's vectors to those that the student learns: `(vectors - centre) @ axes`.

    Attributes:
        axes: `[teacher's width, width]`, strongest first; times a constant where an activation needs smaller targets.
        centre: `[teacher's width]`; zeros where the PCA is not centred.
    """

    axes: Float32[np.ndarray, "wide width"]
    centre: Float32[np.ndarray, " wide"]

    def __call__(self, vectors: Vectors) -> Vectors:
        """Targets of texts, `[texts, width]`, from the teacher's vectors `[texts, teacher's width]`."""
        found: Vectors = (vectors - self.centre) @ self.axes
        return found


@dataclass(frozen=True)
class WidthScore:
    """How well the first dimensions tell what is alike, on held-out texts.

    Attributes:
        width: how many.
        pca: Spearman of cosines of pairs with those of the teacher's whole vectors, of the teacher's own PCA.
        before: the same of the student before training.
        student: and after.
    """

    width: int
    pca: float
    before: float
    student: float


@dataclass(frozen=True)
class Origins:
    """Where a student comes from.

    Attributes:
        teacher: what the teacher was found as.
        column: its banked column.
        source: identity of that column's vectors, whatever their precision.
        student: what the student began as.
        layers: numbers of the teacher's layers that it kept; empty where it is another encoder.
    """

    teacher: str
    column: str
    source: str
    student: str
    layers: tuple[int, ...] = ()


@dataclass(frozen=True)
class ProjectionReport:
    """What distilling a student found.

    Attributes:
        origins: teacher and student.
        teacher_width: dimensions of the teacher's vectors.
        texts: that were trained on.
        held_out: that validated.
        widths: scores of every width that was trained, ascending.
        passes: what the best pass was chosen by, after each.
        best: the pass that was kept, from 1.
        steps: taken.
        seconds: of training.
        resumed: whether it went on from a checkpoint.
        settings: the numbers that decided it.
    """

    origins: Origins
    teacher_width: int
    texts: int
    held_out: int
    widths: Sequence[WidthScore]
    passes: Sequence[float]
    best: int
    steps: int
    seconds: float
    resumed: bool
    settings: Mapping[str, Any]
