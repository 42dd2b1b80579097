"""Trained keys and values that stand before an encoder's own, layer by layer: prefixes, in the pass of a frozen model.

Layer l attends to [P_1; ..; P_S; K], [P_1; ..; P_S; V] (2305.13499; Li & Liang 2021, 2101.00190). A prefix takes a
share of the attention away from the text (He et al. 2022, 2110.04366, section 3), and each has learned how large a
share while it was alone. So that S of them side by side take what one takes, and not S times as much, what is attended
to of each is divided by S before all is normalised. The attention is registered with transformers, which leaves all
else to the model's own code: positions are those of the tokens, and a sliding window hides no prefix. Without a prefix
it is transformers' `sdpa`, bit for bit.

Several sets of prefixes are run in one pass: below the first layer that has a prefix, all states are alike and computed
once; at that layer the batch is repeated, once per set.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from embank.encoders.architectures import ANATOMY
from embank.encoders.prefix.folder import StoredPrefix
from embank.errors import UsageError

_ATTENTION = "embank_prefixed"


@dataclass(frozen=True, eq=False)
class Prefix:
    """Keys and values that the layers from `from_layer` on attend to besides their own.

    Attributes:
        keys: `[layers, length, width]`, for layer `from_layer` and each above it.
        values: of the same shape.
        from_layer: layers below it have no prefix.
    """

    keys: torch.Tensor
    values: torch.Tensor
    from_layer: int = 0


PrefixSet = Sequence[Prefix]
"""Prefixes that one pass has side by side; the empty set is the plain encoder."""


def takes_prefixes(family: str) -> bool:
    """Whether an encoder of this family can be given prefixes."""
    return family in ANATOMY and ANATOMY[family].prefixes


def refuse_family(family: str) -> None:
    """Refuse a family that cannot be given prefixes.

    Raises:
        UsageError: it cannot; the message names those that can.
    """
    if not takes_prefixes(family):
        known = ", ".join(name for name in ANATOMY if takes_prefixes(name))
        raise UsageError(f"encoders of family {family!r} take no prefixes; families that do: {known}")


def accept_prefixes(model: PreTrainedModel) -> None:
    """Let a model read prefixes, in `prefixed`; outside of it, it stays what it was, bit for bit.

    Raises:
        UsageError: a family that cannot.
    """
    family = str(model.config.model_type)
    refuse_family(family)
    for number, layer in enumerate(_layers(model)):
        for module in layer.modules():
            module.embank_layer = number
    model.set_attn_implementation(_ATTENTION)


def bind_prefixes(model: PreTrainedModel) -> None:
    """Let a model read prefixes, and never run without: what would leave them out is refused, as training a tail.

    Raises:
        UsageError: a family that cannot.
    """
    accept_prefixes(model)
    for layer in _layers(model):
        for module in layer.modules():
            module.embank_bound = True


def loaded(prefixes: Sequence[StoredPrefix], device: str) -> PrefixSet:
    """Prefixes of a folder as one set, ordered by their digests: order decides nothing but rounding.

    Raises:
        EncoderError: a file cannot be read, or is not what its record says.
    """
    found = []
    for prefix in sorted(prefixes, key=lambda one: one.digest):
        keys, values = (torch.from_numpy(part).to(device) for part in prefix.arrays())
        found.append(Prefix(keys, values, prefix.from_layer))
    return found


@contextmanager
def prefixed(model: PreTrainedModel, sets: Sequence[PrefixSet]) -> Iterator[None]:
    """Run a model with prefixes, inside a `with` block.

    Args:
        model: that `accept_prefixes` was called on.
        sets: at least one. With several, states of layers from the lowest `from_layer` on come out
            `[sets * batch, length, width]`, all rows of the first set first; those below come out once.

    Raises:
        UsageError: a prefix is of another depth or width than the model.
    """
    modules = _layers(model)
    for prefix in (prefix for chosen in sets for prefix in chosen):
        found, width = tuple(prefix.keys.shape), int(model.config.hidden_size)
        wanted = (len(modules) - prefix.from_layer, found[1], width)
        if found != wanted or tuple(prefix.values.shape) != wanted or not 0 <= prefix.from_layer < len(modules):
            raise UsageError(f"a prefix of the shape {found}, from layer {prefix.from_layer} on; expected {wanted}")
    running = _Running(sets, len(modules))
    hook = None
    if len(sets) > 1 and running.cut < len(modules):
        hook = modules[running.cut].register_forward_pre_hook(running.repeat, with_kwargs=True)
    before = _RUNNING.set(running)
    try:
        yield
    finally:
        _RUNNING.reset(before)
        if hook is not None:
            hook.remove()


@contextmanager
def captured_attention() -> Iterator[dict[int, tuple[torch.Tensor, torch.Tensor]]]:
    """Capture attention: after a pass, the keys and values of each layer are in it, `[batch, length, width]`."""
    found: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    before = _CAPTURED.set(found)
    try:
        yield found
    finally:
        _CAPTURED.reset(before)


class _Running:
    """The prefixes of a pass, layer by layer."""

    def __init__(self, sets: Sequence[PrefixSet], n_layers: int) -> None:
        self._sets = sets
        self.cut = min((prefix.from_layer for chosen in sets for prefix in chosen), default=n_layers)

    def repeat(
        self, _layer: torch.nn.Module, positional: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """At the entry of the first layer that has a prefix: one copy of the batch per set."""
        states = positional[0] if positional else named["hidden_states"]
        copies = states.repeat(len(self._sets), 1, 1)
        return ((copies, *positional[1:]), named) if positional else (positional, {**named, "hidden_states": copies})

    def extended(
        self, layer: int, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Put prefixes before keys and values `[sets * batch, heads, length, head width]`, and widen the mask."""
        if layer < self.cut:
            return key, value, mask
        sets, rows = len(self._sets), len(key)
        if mask is not None and len(mask) not in (1, rows):
            mask = mask.repeat(sets, 1, 1, 1)
        here = [[prefix for prefix in chosen if prefix.from_layer <= layer] for chosen in self._sets]
        lengths = [sum(prefix.keys.shape[1] for prefix in chosen) for chosen in here]
        several = [max(1, sum(prefix.keys.shape[1] > 0 for prefix in chosen)) for chosen in here]
        longest = max(lengths)
        if not longest:
            return key, value, mask
        keys, values = (
            _before(
                [[getattr(prefix, part)[layer - prefix.from_layer] for prefix in chosen] for chosen in here],
                own,
                longest,
            )
            for part, own in (("keys", key), ("values", value))
        )
        length = key.shape[2]
        if mask is None and min(lengths) == longest and max(several) == 1:
            return keys, values, None
        if mask is None:
            mask = torch.ones(1, 1, length, length, dtype=torch.bool, device=key.device)
        places = torch.arange(longest, device=key.device)
        seen = torch.stack([places < own for own in lengths]).repeat_interleave(rows // sets, 0)[:, None, None]
        if max(several) > 1:
            shares = torch.tensor(several, device=key.device).log().to(keys.dtype).repeat_interleave(rows // sets)
            seen, mask = _added(seen, keys.dtype) - shares[:, None, None, None], _added(mask, keys.dtype)
        mask = mask.expand(rows, -1, -1, -1)
        return keys, values, torch.cat([seen.expand(-1, mask.shape[1], mask.shape[2], -1), mask], dim=-1)


_RUNNING: ContextVar[_Running | None] = ContextVar("running", default=None)
"""The prefixes of the pass in progress. It belongs to a thread."""

_CAPTURED: ContextVar[dict[int, tuple[torch.Tensor, torch.Tensor]] | None] = ContextVar("captured", default=None)


def _added(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to the logits of attention in place of a mask: nothing where it looks, else minus infinity."""
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else mask


def _before(parts: Sequence[Sequence[torch.Tensor]], own: torch.Tensor, longest: int) -> torch.Tensor:
    """Prefixes of each set, `[length, width]` each, before what a layer has of itself, `[rows, heads, length, d]`."""
    rows, heads, _, depth = own.shape
    joined = []
    for chosen in parts:
        whole = torch.cat([*chosen, own.new_zeros(longest - sum(len(part) for part in chosen), heads * depth)])
        joined.append(whole.to(own.dtype).view(longest, heads, depth).transpose(0, 1))
    return torch.cat([torch.stack(joined).repeat_interleave(rows // len(parts), 0), own], dim=2)


def _layers(model: PreTrainedModel) -> list[Any]:
    return list(reduce(getattr, ANATOMY[str(model.config.model_type)].layers.split("."), model))


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **named: Any,
) -> tuple[torch.Tensor, None]:
    """An attention as transformers calls it."""
    layer = cast("int", module.embank_layer)
    captured = _CAPTURED.get()
    if captured is not None:
        captured[layer] = (key.transpose(1, 2).flatten(2), value.transpose(1, 2).flatten(2))
    running = _RUNNING.get()
    if running is None and getattr(module, "embank_bound", False):
        raise UsageError(
            "this encoder has trained prefixes and was run without them: use the encoder that they are for"
        )
    if running is not None:
        key, value, attention_mask = running.extended(layer, key, value, attention_mask)
    found: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **named)
    return found


AttentionInterface.register(_ATTENTION, _attend)
AttentionMaskInterface.register(_ATTENTION, sdpa_mask)
