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

Recipe = Literal["best", "paper"]
"""What a student learns, and how.

"best", which measured best (bench/log/2026-11.md): all dimensions of the teacher's vectors, by squared error and angle;
then a PCA of what the student gives says which are kept, and the teacher's vectors are reduced alike. "paper", as
2203.07687 has it: no more than the PCA leaves of the teacher's vectors, through a tanh, by squared error alone."""

RECIPES: tuple[Recipe, ...] = ("best", "paper")

_HELD_OUT = 1000
"""Texts that validate, at most."""

_SHARE = 0.1
"""Share of the texts that validates if that is fewer."""

_LEAST = 20
"""Fewest texts that a student can learn from."""


@dataclass(frozen=True, kw_only=True)
class ProjectionSettings:
    """How a student is distilled.

    Attributes:
        width: dimensions of its vectors.
        training: of the loop; `epochs` left open means 5, a rate left open 1e-4 for all layers.
        widths: shorter vectors, the first dimensions of the whole ones (Matryoshka), that are scored; the recipe
            "paper" trains them as well, and of a PCA the first dimensions are short vectors in any case.
        unit: whether vectors are scaled to length one at the end.
        recipe: "best" or "paper".
    """

    width: int = 48
    training: TrainingSettings = TrainingSettings()  # noqa: RUF009 - a frozen value
    widths: tuple[int, ...] = ()
    unit: bool = False
    recipe: Recipe = "best"

    def __post_init__(self) -> None:
        """Refuse an unknown recipe, and widths out of range."""
        if self.recipe not in RECIPES:
            raise UsageError(f"unknown recipe {self.recipe!r}: choose {' or '.join(RECIPES)}")
        if self.width < 1:
            raise UsageError(f"found a width of {self.width}, expected at least 1")
        if any(not 0 < width < self.width for width in self.widths):
            raise UsageError(
                f"found widths {self.widths} to train as well, expected numbers from 1 to {self.width - 1}"
            )

    @property
    def all_widths(self) -> tuple[int, ...]:
        """Every width that is scored, ascending."""
        return tuple(sorted({*self.widths, self.width}))

    def learned(self, wide: int) -> int:
        """Dimensions that are learned of a teacher's, at least as many as are kept."""
        return wide if self.recipe == "best" else self.width

    @property
    def bends(self) -> bool:
        """Whether a tanh follows the projection; it needs targets between -1 and 1, and cannot be turned any more."""
        return self.recipe == "paper"

    def divided(self, texts: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the texts that are trained on and of those that validate, both ascending; a seed decides.

        Raises:
            UsageError: too few texts.
        """
        if texts < _LEAST:
            raise UsageError(f"found {texts} different texts, expected {_LEAST} at the very least, and some thousand")
        order = np.random.default_rng(self.training.seed).permutation(texts)
        held = max(3, min(_HELD_OUT, int(_SHARE * texts)))
        return np.sort(order[held:]), np.sort(order[:held])


@dataclass(frozen=True, eq=False)
class TeacherSpace:
    """From the teacher's vectors to those that the student learns: `(vectors - centre) @ axes`.

    Attributes:
        axes: `[teacher's width, width]`, strongest first; times a constant where a tanh needs smaller targets.
        centre: `[teacher's width]`; zeros, since a PCA that is not centred keeps cosines best.
    """

    axes: Float32[np.ndarray, "wide width"]
    centre: Float32[np.ndarray, " wide"]

    def __call__(self, vectors: Vectors) -> Vectors:
        """Targets of texts, `[texts, width]`, from the teacher's vectors `[texts, teacher's width]`."""
        found: Vectors = (vectors - self.centre) @ self.axes
        return found


@dataclass(frozen=True)
class WidthScore:
    """How well the first dimensions keep similarities, on held-out texts.

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


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class ProjectionReport:
    """The result of distilling a student.

    Attributes:
        origins: teacher and student.
        teacher_width: dimensions of the teacher's vectors.
        texts: that were trained on.
        held_out: that validated.
        widths: scores of every width that was trained, ascending.
        passes: mean rank correlation on held-out texts after each pass; the best pass is chosen by it.
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
