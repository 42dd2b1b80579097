"""One pass of a torch encoder that yields the states of chosen layers, and runs no layer above the highest of them.

State k is the input of layer k, so it is taken at the entry of that call; the last state is the model's own output,
after its final norm. Calls are counted, not modules: ALBERT calls one module for every layer.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

import torch
import transformers

from embank.encoders.architectures import ANATOMY, Anatomy
from embank.errors import EncoderError


class _Reached(Exception):  # noqa: N818 - not an error: it ends a forward pass that has yielded all it should
    pass


def states(
    model: transformers.PreTrainedModel, inputs: dict[str, torch.Tensor], layers: Sequence[int], n_layers: int
) -> list[torch.Tensor]:
    """Run a model and return the states of some layers.

    Args:
        model: a transformers encoder, or decoder without head, in eval mode.
        inputs: `input_ids`, `attention_mask` and whatever else it takes, `[batch, length]`.
        layers: which states, 0 to `n_layers`.
        n_layers: how many layers the model has.

    Returns:
        `[batch, length, width]` for each of `layers`, in their order.

    Raises:
        EncoderError: the model did not pass through the layers that its anatomy names.
    """
    anatomy = ANATOMY.get(model.config.model_type)
    if anatomy is None:
        taken = inspect.signature(model.forward).parameters
        given = {name: tensor for name, tensor in inputs.items() if name in taken}  # FNet, for one, takes no mask
        output = model(**given, output_hidden_states=True)
        hidden = output.get("hidden_states") or ()
        if len(hidden) != n_layers + 1:
            message = (
                f"{model.config.model_type} returns {len(hidden)} hidden states, not {n_layers + 1}: no text encoder"
            )
            raise EncoderError(message)
        return [output.last_hidden_state if layer == n_layers else hidden[layer] for layer in layers]
    extra = {"use_cache": False} if anatomy.causal else {}
    found: dict[int, torch.Tensor] = {}
    highest = max(layers)
    # While a graph is traced, a pass is never cut short: what nothing reads falls away when the graph is compiled.
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    stop = None if tracing or highest == n_layers else highest
    with _captured(model, anatomy, {layer for layer in layers if layer < n_layers}, found, stop):
        try:
            output = model(**inputs, **extra)
            found[n_layers] = output.last_hidden_state
        except _Reached:
            pass
    missing = [layer for layer in layers if layer not in found]
    if missing:
        message = f"{model.config.model_type} never entered layer {missing[0]}: its row in the anatomy table is wrong"
        raise EncoderError(message)
    return [found[layer] for layer in layers]


@contextmanager
def _captured(
    model: transformers.PreTrainedModel,
    anatomy: Anatomy,
    wanted: set[int],
    found: dict[int, torch.Tensor],
    stop: int | None,
) -> Iterator[None]:
    calls = 0

    def enter(_module: torch.nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        nonlocal calls
        if calls in wanted:
            found[calls] = positional[0] if positional else named["hidden_states"]
        if calls == stop:
            raise _Reached
        calls += 1

    modules = reduce(getattr, anatomy.layers.split("."), model)
    hooks = [module.register_forward_pre_hook(enter, with_kwargs=True) for module in modules]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
