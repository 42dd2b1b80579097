"""Operations counted from the configuration are those that torch counts, for every family that can be cut."""

import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from embank.encoders.architectures import ANATOMY  # noqa: E402
from embank.encoders.flops import (  # noqa: E402
    Shape,
    embedding_flops,
    flops,
    head_flops,
    layer_flops,
    shape_of,
    training_flops,
)
from material.families import FAMILIES, LAYERS, inputs, run, tiny  # noqa: E402

TOLERANCE = 0.01


def counted(model, ids, mask):
    """What torch counts; a pooler is left out, as Embank does not run it."""
    model.set_attn_implementation("eager")  # fused attention hides its products from the counter on some machines
    model.requires_grad_(requires_grad=False)
    with torch.no_grad(), FlopCounterMode(display=False, depth=9) as counter:
        run(model, ids, mask)
    poolers = [name for name in counter.get_flop_counts() if name.endswith(".pooler")]
    return counter.get_total_flops() - sum(sum(counter.get_flop_counts()[name].values()) for name in poolers)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_encoder_computes_what_torch_counts(family):
    model = tiny(family)
    ids, mask = inputs(padded=False)
    texts, tokens = ids.shape
    ours = texts * flops(shape_of(model.config), tokens, batch=texts)
    assert ours == pytest.approx(counted(model, ids, mask), rel=TOLERANCE)


@pytest.mark.parametrize("family", ["bert", "deberta", "deberta-v2", "qwen3", "t5", "albert"])
def test_a_longer_batch_is_counted_as_well(family):
    model = tiny(family)
    ids = torch.randint(5, 97, (2, 24), generator=torch.Generator().manual_seed(1))
    ours = 2 * flops(shape_of(model.config), 24, batch=2)
    assert ours == pytest.approx(counted(model, ids, torch.ones_like(ids)), rel=TOLERANCE)


def test_deberta_with_a_convolution_is_counted():
    model = tiny("deberta-v2", conv_kernel_size=3, conv_act="gelu")
    ids, mask = inputs(padded=False)
    ours = 3 * flops(shape_of(model.config), 9, batch=3)
    assert ours == pytest.approx(counted(model, ids, mask), rel=TOLERANCE)


def test_every_family_that_can_be_cut_is_compared():
    assert set(FAMILIES) == set(ANATOMY)


@pytest.mark.parametrize("family", FAMILIES)
def test_lower_and_upper_layers_together_are_the_whole(family):
    shape = shape_of(tiny(family).config)
    assert shape.layers == LAYERS
    for cut in range(LAYERS + 1):
        assert flops(shape, 9, 0, cut) + flops(shape, 9, cut) == pytest.approx(
            flops(shape, 9) + (embedding_flops(shape, 9) + 18 * shape.kernel * shape.width**2 if cut == 0 else 0)
        )


def test_a_layer_of_known_shape_is_counted_by_hand():
    shape = Shape(layers=2, width=10, queries=10, keys=5, inner=40)
    by_hand = 2 * 7 * (10 * 10 + 2 * 10 * 5 + 10 * 10 + 2 * 10 * 40) + 2 * 2 * 7 * 7 * 10
    assert layer_flops(shape, 7) == by_hand
    assert flops(shape, 7) == 2 * by_hand


def test_heads_adapters_and_training_follow_their_products():
    assert head_flops(384, 6) == 2 * 384 * 6
    assert head_flops(384, 6, hidden=128) == 2 * (384 * 128 + 128 * 6)
    assert training_flops(5.0, passed=7.0, frozen=11.0) == 3 * 5 + 2 * 7 + 11
