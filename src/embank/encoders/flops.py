"""What an encoder computes for a text, counted from its configuration: the one place that counts operations.

An operation is a multiplication or an addition inside a matrix product, as torch's own counter has it
(`torch.utils.flop_counter`), against which a test compares every family of the anatomy table. Norms, softmax,
activations and look-ups are left out there and here: they are some hundredths of the whole. Attention that looks no
further than a window is counted as if it looked everywhere, which is what is computed without a kernel of its own.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import transformers

_MULTIPLY_ADD = 2
_SIDES = 2
_SCORES = 2
"""Products of attention that grow with the square of the length: queries by keys, weights by values."""

_GATED = frozenset({"modernbert", "nomic_bert", "gte", "llama", "mistral", "qwen2", "qwen3", "gemma3_text", "eurobert"})
"""Families whose feed-forward block has three matrices."""


@dataclass(kw_only=True, frozen=True)
class Shape:
    """What of an encoder decides how much it computes.

    Attributes:
        layers: how many run.
        width: dimensions of a state.
        queries: dimensions of all queries together, heads by their size.
        keys: dimensions of all keys together, and of all values; fewer than `queries` where heads share them.
        inner: width of the feed-forward block.
        matrices: of the feed-forward block: 2, or 3 if it is gated.
        embedding: width of the table of words, where a product brings it to `width`; else 0.
        relative: how far relative positions reach to each side (DeBERTa); 0 if they cost no products.
        relative_terms: how many products with relative positions.
        bounded: relative positions reach no further than the text is long.
        kernel: tokens that a convolution beside the first layer looks at; 0 otherwise.
    """

    layers: int
    width: int
    queries: int
    keys: int
    inner: int
    matrices: int = 2
    embedding: int = 0
    relative: int = 0
    relative_terms: int = 0
    bounded: bool = False
    kernel: int = 0


def shape_of(config: "transformers.PretrainedConfig") -> Shape:
    """Read a shape out of a transformers configuration.

    Args:
        config: of an encoder, with transformers' defaults filled in.
    """
    family = str(config.model_type)
    width = _number(config, "hidden_size", "d_model", "dim")
    heads = _number(config, "num_attention_heads", "num_heads", "n_heads")
    size = _number(config, "head_dim", "d_kv") or width // max(heads, 1)
    sharing = _number(config, "num_key_value_heads") or heads
    gated = family in _GATED or str(getattr(config, "feed_forward_proj", "")).startswith("gated")
    words = _number(config, "embedding_size")
    layers = _number(config, "num_hidden_layers", "num_layers", "n_layers") * (_number(config, "inner_group_num") or 1)
    reach, terms = _relative(config, family)
    return Shape(
        layers=layers,
        width=width,
        queries=heads * size,
        keys=sharing * size,
        inner=_number(config, "intermediate_size", "d_ff", "hidden_dim"),
        matrices=3 if gated else 2,
        embedding=words if family == "albert" or words != width else 0,
        relative=reach,
        relative_terms=terms,
        bounded=family == "deberta",
        kernel=_number(config, "conv_kernel_size"),
    )


def embedding_flops(shape: Shape, tokens: float) -> float:
    """Operations before the first layer, for a text of so many tokens."""
    return _MULTIPLY_ADD * tokens * shape.embedding * shape.width


def layer_flops(shape: Shape, tokens: float, batch: int = 1) -> float:
    """Operations of one layer.

    Args:
        shape: of the encoder.
        tokens: of the text.
        batch: texts that run together; they share the products of relative positions that look at no text.
    """
    attention = 2 * shape.width * shape.queries + 2 * shape.width * shape.keys
    block = shape.matrices * shape.width * shape.inner
    own = _MULTIPLY_ADD * tokens * (attention + block) + _MULTIPLY_ADD * _SCORES * tokens**2 * shape.queries
    reach = _SIDES * (min(shape.relative, tokens) if shape.bounded else shape.relative)
    projected = reach * shape.width * shape.queries / batch
    return own + _MULTIPLY_ADD * shape.relative_terms * (projected + tokens * reach * shape.queries)


def flops(shape: Shape, tokens: float, first: int = 0, last: int | None = None, batch: int = 1) -> float:
    """Operations of layers `first` to `last` for one text; with layer 0 comes what is before it.

    >>> minilm = Shape(layers=6, width=384, queries=384, keys=384, inner=1536)
    >>> round(flops(minilm, 100) / 1e9, 2), flops(minilm, 100, 3) == flops(minilm, 100) / 2
    (2.22, True)

    Args:
        shape: of the encoder.
        tokens: of the text.
        first: number of the first layer that runs; a tail that starts from state k runs layers k and above.
        last: the state at which to stop; None is the encoder's output.
        batch: texts that run together.
    """
    stop = shape.layers if last is None else last
    total = max(0, stop - first) * layer_flops(shape, tokens, batch)
    if first == 0:
        total += embedding_flops(shape, tokens)
        total += _MULTIPLY_ADD * tokens * shape.kernel * shape.width**2 if stop > 0 else 0
    return total


def head_flops(width: int, outputs: int, hidden: int = 0) -> float:
    """Operations of a head on a vector: one affine map, or two."""
    return _MULTIPLY_ADD * (width * hidden + hidden * outputs if hidden else width * outputs)


def training_flops(trained: float, passed: float = 0.0, frozen: float = 0.0) -> float:
    """Operations of a training step, from those of its forward pass.

    A matrix product whose weights are trained is done three times: forwards, for the gradient of its input, and for
    that of its weights. The last falls away where weights are frozen and the gradient only passes through; both do
    where none passes.

    Args:
        trained: operations, forwards, of layers that are trained.
        passed: of frozen layers above trained weights.
        frozen: of layers below all that is trained.
    """
    return 3 * trained + 2 * passed + frozen


def _number(config: "transformers.PretrainedConfig", *names: str) -> int:
    """The first of these that a configuration has as a number; otherwise 0."""
    for name in names:
        found = getattr(config, name, None)
        if isinstance(found, int):
            return found
    return 0


def _relative(config: "transformers.PretrainedConfig", family: str) -> tuple[int, int]:
    """How far relative positions reach, and how many products read them."""
    if family not in ("deberta", "deberta-v2") or not getattr(config, "relative_attention", False):
        return 0, 0
    farthest = _number(config, "max_relative_positions")
    if farthest < 1:
        farthest = _number(config, "max_position_embeddings")
    buckets = _number(config, "position_buckets")
    kinds = getattr(config, "pos_att_type", None) or ()
    named = kinds.split("|") if isinstance(kinds, str) else kinds
    return (buckets if buckets > 0 else farthest), len([kind for kind in named if kind in ("c2p", "p2c")])
