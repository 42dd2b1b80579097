"""A tail as a torch module: upper layers, and an output layer for one task."""

from collections.abc import Mapping

import torch
from transformers import PreTrainedModel

from embank.encoders.pooling import pool as pooled
from embank.encoders.resume import Upper
from embank.errors import UsageError
from embank.labels.kinds import POOLED
from embank.models.adapters import add_adapters
from embank.models.lora import add_lora
from embank.models.output_layer import output_layer
from embank.models.tail_settings import TailDesign

_OUTPUT = "output."
_UPPER = "upper."


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
        self.output = output_layer(upper.width, design.outputs, torch.Generator().manual_seed(seed))
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
        """Trained parameters by name: `upper.` and the name in the full model, and those of the output layer."""
        return dict(self._trained)

    def state(self) -> dict[str, torch.Tensor]:
        """Copies of the trained parameters, on the CPU; with the encoder's weights they make the tail again."""
        return {name: parameter.detach().cpu().clone() for name, parameter in self._trained.items()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Load the parameters that `state` returned, all of them and nothing else.

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


def build_tail(model: PreTrainedModel, n_layers: int, design: TailDesign, seed: int) -> Tail:
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
