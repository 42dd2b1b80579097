"""A tail as a torch module: upper layers, and an output layer for one task."""

from collections.abc import Mapping
from typing import Any

import torch

from embank.encoders.pooling import pool as pooled
from embank.encoders.resume import Upper
from embank.errors import UsageError
from embank.labels.kinds import KINDS, POOLED, Kind
from embank.models.adapters import add_adapters
from embank.models.lora import add_lora
from embank.models.tail_design import IGNORED, TailDesign

_OUTPUT = "output."
_UPPER = "upper."
_SPREAD = 0.02


class Tail(torch.nn.Module):
    """Upper layers and an output layer: states of the cut layer in, logits or numbers out.

    Attributes:
        upper: the layers above the cut.
        output: linear from a state or a vector to the outputs.
        design: what the tail is.
    """

    def __init__(self, upper: Upper, trained: Mapping[str, torch.nn.Parameter], design: TailDesign, seed: int) -> None:
        """Put an output layer on upper layers; `build_tail` does all that comes before.

        Args:
            upper: prepared for the design's method.
            trained: the parameters in it that are to be trained, by name.
            design: what the tail is to be.
            seed: decides the first weights of the output layer.
        """
        super().__init__()
        self.upper, self.design = upper, design
        self.dropout = torch.nn.Dropout(design.options.dropout)
        self.output = torch.nn.Linear(upper.width, design.outputs, device="meta").to_empty(device="cpu")
        torch.nn.init.normal_(self.output.weight, std=_SPREAD, generator=torch.Generator().manual_seed(seed))
        torch.nn.init.zeros_(self.output.bias)
        self._trained = {f"{_UPPER}{name}": parameter for name, parameter in trained.items()}
        self._trained |= {f"{_OUTPUT}{name}": parameter for name, parameter in self.output.named_parameters()}

    def forward(self, states: torch.Tensor, mask: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """Run the tail.

        Args:
            states: of the cut layer, `[batch, length, width]`.
            mask: `[batch, length]` int64, 1 where there is a token.
            pool: `[batch, length]`, 1 where pooling looks; at least one place a row. Taggers and spans do not read it.

        Returns:
            `[batch, outputs]` where the kind is pooled; `[batch, length, outputs]` for tagging, and for a span, whose
            two outputs are the logits of its first and of its last token.
        """
        states = self.upper(states, mask)
        if self.design.kind in POOLED:
            states = pooled(states, pool, self.design.options.pooling)
        logits: torch.Tensor = self.output(self.dropout(states.float()))
        return logits

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """What is trained: of the upper layers, by `upper.` and the name in the full model, and of the output layer."""
        return dict(self._trained)

    def state(self) -> dict[str, torch.Tensor]:
        """Copies of what is trained, on the CPU: with the encoder's own weights, all there is to a tail."""
        return {name: parameter.detach().cpu().clone() for name, parameter in self._trained.items()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over what `state` gave, all of it and nothing else.

        Raises:
            UsageError: a tensor is missing, strange, or of another shape; nothing was changed.
        """
        missing = [name for name in self._trained if name not in state]
        strange = [name for name in state if name not in self._trained]
        if missing or strange:
            which = f"lacks {missing[0]}" if missing else f"has {strange[0]} besides"
            raise UsageError(f"the weights do not fit this tail: a state that {which}; build it with the design it had")
        for name, parameter in self._trained.items():
            if state[name].shape != parameter.shape:
                found, expected = list(state[name].shape), list(parameter.shape)
                raise UsageError(
                    f"the weights do not fit this tail: {name} is {found}, not {expected}; "
                    "build it with the design it had"
                )
        with torch.no_grad():
            for name, parameter in self._trained.items():
                parameter.copy_(state[name])


def build_tail(model: Any, n_layers: int, design: TailDesign, seed: int) -> Tail:
    """Make a tail from a loaded encoder, which it takes apart and keeps.

    Args:
        model: a transformers encoder, or decoder without head, that nobody else uses.
        n_layers: how many layers it has.
        design: where to cut, what to train, what to predict.
        seed: decides all first weights; torch's own random numbers are not touched.

    Returns:
        The tail in evaluation mode, on the device of the model. A cut at the last layer, with the method "full", leaves
        an output layer on the encoder's own output.

    Raises:
        UsageError: the family cannot be cut, or not there, or not trained by this method; pooled vectors still work.
        EncoderError: the model has another number of layers.
        ExtraMissingError: the method is LoRA, and peft is not installed.
    """
    device = next(model.parameters()).device
    upper = Upper(model, design.cut, n_layers, design.layers)
    options = design.options
    if design.method == "full":
        trained = upper.owned()
        if upper.layers and not trained:
            raise UsageError(
                f"{upper.family} runs the same layer at every depth, so above layer {design.cut} it has no weights of "
                "its own to train: cut it at 0, fit a head on its vectors, or take an encoder of another family"
            )
    elif design.method == "adapters":
        trained = add_adapters(upper, options.width, seed)
    else:
        trained = add_lora(upper, options.rank, options.alpha, options.lora_dropout, seed)
    return Tail(upper, trained, design, seed).to(device).eval()


def loss(kind: Kind, logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What training makes small: a mean over texts, labels or tokens, in float32.

    Args:
        kind: of the task.
        logits: as `Tail.forward` gives them.
        targets: by kind. "single": class numbers `[batch]`; "multi": 0 and 1, `[batch, labels]`; "regression": numbers
            `[batch]` or `[batch, outputs]`; "tagging": label numbers `[batch, length]`, -100 where there is none;
            "span": the places of the first and last token `[batch, 2]`, -100 where there is none. A place has to be
            one of those that the mask allows: the loss of any other is infinite.
        mask: `[batch, length]`, 0 at tokens that bear no label and where no span may begin or end; other kinds do not
            read it.

    Returns:
        A number: cross entropy; binary cross entropy; squared error; cross entropy of tokens; the sum of the cross
        entropies of first and last token.

    Raises:
        UsageError: there is no such kind.
    """
    logits = logits.float()
    if kind == "single":
        return torch.nn.functional.cross_entropy(logits, targets)
    if kind == "multi":
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.float())
    if kind == "regression":
        return torch.nn.functional.mse_loss(logits, targets.float().reshape(logits.shape))
    if kind == "tagging":
        return _cross_entropy(logits.flatten(0, 1), targets.masked_fill(mask == 0, IGNORED).flatten())
    if kind == "span":
        allowed = logits.masked_fill((mask == 0).unsqueeze(-1), float("-inf"))
        return _cross_entropy(allowed[..., 0], targets[:, 0]) + _cross_entropy(allowed[..., 1], targets[:, 1])
    raise UsageError(f"{kind!r} is no kind of tail; there are: {', '.join(KINDS)}")


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean over targets that are not ignored; 0 where all are, and not a division by zero."""
    total = torch.nn.functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
    return total / (targets != IGNORED).sum().clamp_min(1)
