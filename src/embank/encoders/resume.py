"""The upper layers of an encoder, started from states of a middle layer that were computed before.

The model keeps its own forward, which builds masks, rotary embeddings, relative bias and the final norm. Its lower
layers are replaced once by stubs that own nothing, its embeddings run on one token number, and a hook puts the given
states in at the entry of layer `cut`. What runs is therefore the model's own code, and equals it to rounding.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from contextvars import ContextVar
from functools import reduce
from typing import Any, Self

import torch
import transformers

from embank.encoders.architectures import ANATOMY, Anatomy
from embank.errors import EncoderError, UsageError

_STATES: ContextVar[torch.Tensor | None] = ContextVar("states", default=None)
"""What the pass in progress starts from. It belongs to a thread, so two threads may run one module."""


class Upper(torch.nn.Module):
    """Layers `cut` to L of an encoder and its final norm: states of layer `cut` in, the encoder's own output out.

    Layer numbers are those of columns: state k enters layer k, and the last state is the encoder's output, after its
    final norm. So a cut at L leaves nothing to run, and what comes in goes out.

    Dropout in training mode acts in the upper layers alone; everything below and beside them stays in evaluation mode,
    as it was when the states were computed. That includes T5's dropout after its final norm: it is the same module as
    the one on its embeddings.

    Attributes:
        cut: the layer whose states come in.
        n_layers: L.
        family: the `model_type` of the configuration.
        anatomy: the family's row in the table.
        width: dimensions of a state.
        layers: the layers that run, by number; one module under several numbers where a family shares layers.
        model: what is left of the model; None if nothing is left to run.
        entry: run on the states before the first layer; None leaves them as they are.
    """

    def __init__(self, model: transformers.PreTrainedModel, cut: int, n_layers: int, most: int | None = None) -> None:
        """Take a loaded model apart; it must belong to nobody else, since its lower layers are lost.

        Args:
            model: a transformers encoder, or decoder without head.
            cut: 0 to `n_layers`.
            n_layers: how many layers the model has.
            most: run this many layers above the cut and skip those above them; None runs all.

        Raises:
            UsageError: the family is not in the anatomy table, or it cannot be cut there.
            EncoderError: the model has another number of layers.
        """
        super().__init__()
        self.family = str(model.config.model_type)
        self.anatomy = _anatomy(self.family)
        _check_cut(model.config, cut, n_layers)
        self.cut, self.n_layers, self.width = cut, n_layers, int(model.config.hidden_size)
        self._dtype: torch.dtype = model.get_input_embeddings().weight.dtype
        unused = self.anatomy.positions
        self._positions = None if unused is None else int(model.config.max_position_embeddings) - unused
        calls = _calls(model, self.anatomy, n_layers)
        until = n_layers if most is None else min(n_layers, cut + most)
        self._owned = _owned(model, calls, range(cut, until), self.anatomy.norm)
        self.layers: dict[int, torch.nn.Module] = dict(enumerate(calls[cut:until], cut))
        model.requires_grad_(requires_grad=False)
        for parameter in self._owned.values():
            parameter.requires_grad = True
        self.entry: torch.nn.Module | None = None
        self.model: transformers.PreTrainedModel = None
        if cut < n_layers:
            _replace_others(model, self.anatomy, calls, range(cut, until))
            calls[cut].register_forward_pre_hook(_start, with_kwargs=True)
            # The table of words can be most of the weights, and nothing reads what it says: one row will do.
            row = model.get_input_embeddings().weight.detach()[:1].clone()
            model.set_input_embeddings(torch.nn.Embedding(1, row.shape[1], _weight=row, _freeze=True))
            self.model = model
        self.eval()

    def owned(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that belong to the upper layers and the final norm alone, by their names in the full model.

        What lower layers share is not among them: T5's relative bias (it lives in block 0), that of MPNet, DeBERTa's
        relative embeddings with their norm (they live beside the layers), and the weights of ALBERT's one layer, which
        therefore owns nothing unless the cut is 0. Nor is anything at a cut at L, whose states are past the final norm.
        """
        return dict(self._owned)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Run the upper layers.

        Args:
            states: of layer `cut`, `[batch, length, width]`; values at masked positions do not matter.
            mask: `[batch, length]` int64, 1 for a token.

        Returns:
            The encoder's own output, `[batch, length, width]`.

        Raises:
            EncoderError: the model did not enter layer `cut`.
        """
        if self.model is None:
            return states.to(self._dtype)
        precision = nullcontext() if self.anatomy.autocast else torch.autocast(states.device.type, enabled=False)
        before = _STATES.set(states.to(self._dtype))
        try:
            with precision:
                if self.entry is not None:
                    _STATES.set(self.entry(states.to(self._dtype)))
                output = self.model(**self._inputs(mask))
            if _STATES.get() is not None:
                message = f"{self.family} never entered layer {self.cut}: its row in the anatomy table is wrong"
                raise EncoderError(message)
        finally:
            _STATES.reset(before)
        result: torch.Tensor = output.last_hidden_state
        return result

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own signature
        """Put the upper layers into training or evaluation mode; everything else stays in evaluation mode."""
        super().train(mode=False)
        self.training = mode
        for layer in self.layers.values():
            layer.train(mode)
        return self

    def _inputs(self, mask: torch.Tensor) -> dict[str, Any]:
        """What the model is run on: its mask, and token 0 everywhere, since no output depends on the embeddings.

        A batch may be filled up beyond a table of learned positions. Then position 0 stands everywhere as well.
        """
        inputs: dict[str, Any] = {"input_ids": torch.zeros_like(mask), "attention_mask": mask}
        if self.anatomy.causal:
            inputs["use_cache"] = False
        if self._positions is not None and mask.shape[1] > self._positions:
            inputs["position_ids"] = torch.zeros_like(mask[:1])
        return inputs


class _Stub(torch.nn.Module):
    """In the place of a lower layer: hands on what it is given, in the form of the family's layers."""

    def __init__(self, layer: torch.nn.Module, returns: int) -> None:
        super().__init__()
        self.returns = returns
        if hasattr(layer, "attention_type"):  # ModernBERT asks each layer which mask it wants
            self.attention_type = layer.attention_type

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        return (hidden_states, *[None] * (self.returns - 1)) if self.returns else hidden_states


def _start(_layer: torch.nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any] | None:
    """Put the states in at the entry of a layer, once a pass: ALBERT enters the same module again for each layer."""
    states = _STATES.get()
    if states is None:
        return None
    _STATES.set(None)
    return ((states, *positional[1:]), named) if positional else (positional, {**named, "hidden_states": states})


def _anatomy(family: str) -> Anatomy:
    anatomy = ANATOMY.get(family)
    if anatomy is None:
        raise UsageError(
            f"encoders of family {family!r} cannot be cut at a layer, so tails do not work with them; pooled vectors "
            f"of every layer still do. Families that can: {', '.join(ANATOMY)}"
        )
    return anatomy


def _check_cut(config: transformers.PretrainedConfig, cut: int, n_layers: int) -> None:
    if not 0 <= cut <= n_layers:
        raise UsageError(f"a tail cannot start at layer {cut} of {n_layers}: give 0 to {n_layers}")
    if cut == 0 and getattr(config, "conv_kernel_size", 0) > 0:
        # DeBERTa-v2 may convolve over its embeddings beside layer 0, where no state reaches.
        raise UsageError(
            f"this {config.model_type} convolves over its embeddings beside layer 0: cut it at 1 or higher"
        )


def _calls(model: transformers.PreTrainedModel, anatomy: Anatomy, n_layers: int) -> list[torch.nn.Module]:
    """The module that runs as layer 0, 1, and so on."""
    modules = list(reduce(getattr, anatomy.layers.split("."), model))
    if anatomy.shared:
        return [modules[at * len(modules) // n_layers] for at in range(n_layers)]
    if len(modules) != n_layers:
        raise EncoderError(f"this {model.config.model_type} has {len(modules)} layers, not {n_layers}")
    return modules


def _owned(
    model: transformers.PreTrainedModel, calls: Sequence[torch.nn.Module], running: range, norm: str
) -> dict[str, torch.nn.Parameter]:
    cut = running.start
    if cut == len(calls):
        return {}
    upper = [*calls[cut : running.stop], *([reduce(getattr, norm.split("."), model)] if norm else [])]
    lower = {id(parameter) for layer in calls[:cut] for parameter in layer.parameters()}
    own = {id(parameter) for module in upper for parameter in module.parameters()} - lower
    return {name: parameter for name, parameter in model.named_parameters() if id(parameter) in own}


def _replace_others(
    model: transformers.PreTrainedModel, anatomy: Anatomy, calls: Sequence[torch.nn.Module], running: range
) -> None:
    cut = running.start
    if anatomy.relative_bias and cut:
        # Block 0 alone owns the bias and hands it on: now the first block that runs does.
        below: Any = reduce(getattr, anatomy.relative_bias.split("."), calls[0])
        above: Any = reduce(getattr, anatomy.relative_bias.split("."), calls[cut])
        above.relative_attention_bias = below.relative_attention_bias
        above.has_relative_attention_bias = True
    *parents, name = anatomy.layers.split(".")
    kept = [layer if number in running else _Stub(layer, anatomy.returns) for number, layer in enumerate(calls)]
    setattr(reduce(getattr, parents, model), name, torch.nn.ModuleList(kept))
    if anatomy.shared:
        # ALBERT asks its configuration which group runs as which layer: now each layer has a place of its own.
        model.config.num_hidden_groups = len(calls)
