"""An encoder with some of its layers: a copy with separate weights, to be trained as a small encoder."""

import copy
from dataclasses import dataclass
from functools import reduce

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from embank.encoders.architectures import ANATOMY, Anatomy
from embank.encoders.folder import EncoderFolder
from embank.encoders.torch import TransformerEncoder
from embank.errors import UsageError


@dataclass(frozen=True, eq=False)
class Shortened:
    """An encoder with fewer layers.

    Attributes:
        model: a transformers encoder of fewer layers.
        n_layers: how many.
        width: dimensions of a state.
        folder: of the encoder that it was copied from.
    """

    model: PreTrainedModel
    n_layers: int
    width: int
    folder: EncoderFolder


def anatomy_of(family: str) -> Anatomy:
    """Where a family keeps its layers.

    Raises:
        UsageError: it is not in the anatomy table, or runs the same layer at every depth.
    """
    anatomy = ANATOMY.get(family)
    if anatomy is None:
        able = ", ".join(known for known, row in ANATOMY.items() if not row.shared)
        raise UsageError(
            f"encoders of family {family!r} cannot be taken apart, so no student can be made of one; families that "
            f"can: {able}"
        )
    if anatomy.shared:
        raise UsageError(
            f"{family} runs the same layer at every depth, so a student with fewer layers would be no smaller: take "
            "an encoder of another family, or 'embank baseline finetune'"
        )
    return anatomy


def shortened(encoder: TransformerEncoder, chosen: tuple[int, ...]) -> Shortened:
    """Copy an encoder's embeddings, some of its layers, and its final norm.

    Args:
        encoder: a `TransformerEncoder`; it stays as it is.
        chosen: numbers of layers, ascending.

    Raises:
        UsageError: the family cannot be taken apart.
    """
    anatomy = anatomy_of(encoder.folder.family)
    *parents, name = anatomy.layers.split(".")
    owner = reduce(getattr, parents, encoder.model)
    layers = getattr(owner, name)
    # Only what is kept is copied: the other layers step aside while it is.
    setattr(owner, name, torch.nn.ModuleList(layers[at] for at in chosen))
    try:
        model = copy.deepcopy(encoder.model)
    finally:
        setattr(owner, name, layers)
    _describe(model.config, chosen)
    if anatomy.relative_bias and chosen[0]:
        # Block 0 alone owns the bias and hands it on: now the first block that is left does.
        below = reduce(getattr, anatomy.relative_bias.split("."), layers[0])
        first = reduce(getattr, [*anatomy.layers.split("."), "0", *anatomy.relative_bias.split(".")], model)
        first.relative_attention_bias = copy.deepcopy(below.relative_attention_bias)
        first.has_relative_attention_bias = True
    return Shortened(model, len(chosen), encoder.width, encoder.folder)


def _describe(config: PreTrainedConfig, chosen: tuple[int, ...]) -> None:
    """Tell the configuration how many layers there are; some families look up there which mask a layer wants."""
    types = getattr(config, "layer_types", None)
    if types is not None:
        config.layer_types = [types[at] for at in chosen]
    config.num_hidden_layers = len(chosen)
