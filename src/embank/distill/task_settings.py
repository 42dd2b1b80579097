"""Settings of a student that is distilled for one task, to be served without a bank."""

from dataclasses import dataclass

from embank.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class StudentSettings:
    """Settings of a student that is distilled for one task.

    Attributes:
        layers: how many layers of the encoder it keeps, spread evenly; see `spread`.
        temperature: the teacher's logits, and the student's, are divided by it where they are compared.
        hidden_weight: of the distance between the student's states and the teacher's; 0 leaves states out.
        label_weight: share of the labels' own loss, 0 to 1; the teacher's outputs have the rest.
        chosen: numbers of the layers that it keeps, from 0; in place of `layers`.
    """

    layers: int = 2
    temperature: float = 2.0
    hidden_weight: float = 1.0
    label_weight: float = 0.5
    chosen: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        if self.layers < 1:
            raise UsageError(f"found {self.layers} layers for a student, expected at least 1")
        if not self.temperature > 0:
            raise UsageError(f"found a temperature of {self.temperature}, expected more than 0, such as 2")
        if not self.hidden_weight >= 0:
            raise UsageError(f"found a weight of {self.hidden_weight} for states, expected 0 or more")
        if not 0 <= self.label_weight <= 1:
            raise UsageError(f"found a share of {self.label_weight} for labels, expected 0 to 1")
        if list(self.chosen) != sorted(set(self.chosen)):
            listed = ",".join(map(str, self.chosen))
            raise UsageError(f"found layers {listed} for a student, expected each once and in ascending order")

    def kept(self, n_layers: int) -> tuple[int, ...]:
        """The layers of an encoder that its student keeps.

        Raises:
            UsageError: the encoder has too few layers.
        """
        kept = self.chosen or tuple(range(self.layers))
        if kept[0] < 0 or kept[-1] >= n_layers:
            wanted = f"layer {kept[0] if kept[0] < 0 else kept[-1]}" if self.chosen else f"{self.layers} layers"
            raise UsageError(f"a student asks for {wanted}; this encoder has {n_layers}, numbered 0 to {n_layers - 1}")
        return self.chosen or spread(self.layers, n_layers)


def spread(layers: int, n_layers: int) -> tuple[int, ...]:
    """Layers as far apart as can be, the first and the last among them; a single one is the first.

    >>> spread(2, 6), spread(3, 6), spread(3, 12), spread(1, 6)
    ((0, 5), (0, 3, 5), (0, 6, 11), (0,))
    """
    if layers == 1:
        return (0,)
    return tuple(int(at * (n_layers - 1) / (layers - 1) + 0.5) for at in range(layers))


def teacher_layers(layers: int, n_layers: int) -> tuple[int, ...]:
    """The teacher's state that each state of a student learns, evenly spread up to the last (PKD's "skip").

    >>> teacher_layers(2, 6), teacher_layers(3, 6), teacher_layers(3, 12)
    ((3, 6), (2, 4, 6), (4, 8, 12))
    """
    return tuple(int(at * n_layers / layers + 0.5) for at in range(1, layers + 1))
