"""Learned pooling: what every design gives, and that neither padding nor neighbours have a part in it."""

import pytest
import torch

from embank.encoders.pooling import pool as plain
from embank.errors import UsageError
from embank.models.learned_pooling import LearnedPooling, PooledHead, restored, weights_of
from embank.models.pooling_design import MIXES, OVER, PoolingDesign, PoolingSettings

WIDTH, LAYERS = 8, (1, 3, 4)
LENGTHS = (5, 1, 9)
DESIGNS = [
    PoolingDesign(LAYERS if mix != "one" else (3,), over, queries, mix)
    for over in OVER
    for mix in MIXES
    for queries in ((1, 2, 4, 8, 16) if over == "attention" else (1,))
]


def named(design):
    return f"{design.over}-{design.queries}-{design.mix}"


@pytest.fixture(params=DESIGNS, ids=named)
def design(request):
    return request.param


def batch(design, length=9, filler=0.0, dtype=torch.float32):
    """Three texts of different lengths; the second has a prompt of no account before it, if it is long enough."""
    random = torch.Generator().manual_seed(1)
    states = torch.full((len(LENGTHS), len(design.layers), length, WIDTH), filler, dtype=dtype)
    pool = torch.zeros(len(LENGTHS), length, dtype=torch.int64)
    for row, own in enumerate(LENGTHS):
        states[row, :, :own] = torch.randn(len(LAYERS), own, WIDTH, generator=random)[: len(design.layers)].to(dtype)
        pool[row, :own] = 1
    pool[2, :2] = 0
    return states, pool


def stirred(pooling):
    """Weights that have learned something."""
    random = torch.Generator().manual_seed(2)
    for parameter in pooling.parameters():
        parameter.data += torch.randn(parameter.shape, generator=random)
    return pooling


def test_vectors_are_as_wide_as_the_design_says(design):
    found = LearnedPooling(design, WIDTH)(*batch(design))
    assert found.shape == (3, design.width(WIDTH))
    assert found.dtype == torch.float32
    assert found.isfinite().all()


@pytest.mark.parametrize("filler", [0.0, 7.0, 1e30, float("inf"), float("nan")])
def test_what_stands_at_padding_is_of_no_account(design, filler):
    pooling = stirred(LearnedPooling(design, WIDTH))
    expected = pooling(*batch(design))
    states, pool = batch(design, 14, filler)
    torch.testing.assert_close(pooling(states, pool), expected, rtol=1e-5, atol=1e-6)


def test_a_text_alone_gives_the_same_vectors_as_in_a_batch(design):
    pooling = stirred(LearnedPooling(design, WIDTH))
    states, pool = batch(design)
    together = pooling(states, pool)
    for row, length in enumerate(LENGTHS):
        alone = pooling(states[row : row + 1, :, :length], pool[row : row + 1, :length])
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-6)


def test_where_pooling_does_not_look_nothing_is_read(design):
    pooling = stirred(LearnedPooling(design, WIDTH))
    states, pool = batch(design)
    changed = states.clone()
    changed[2, :, :2] = 99.0
    torch.testing.assert_close(pooling(changed, pool), pooling(states, pool))
    changed[2, :, 3], changed[2, :, 4] = 99.0, -99.0
    if design.over != "first":
        assert not torch.allclose(pooling(changed, pool), pooling(states, pool))


def test_all_weights_are_learned(design):
    head = PooledHead(LearnedPooling(design, WIDTH), 2, 0.0)
    head(*batch(design)).square().sum().backward()
    for name, parameter in head.trainable().items():
        assert parameter.grad is not None, name
        # gamma alone is undone by the norm before the output layer, but for its rounding
        assert parameter.grad.abs().sum() > 0 or name == "pooling.factor", name
    assert set(head.trainable()) == {name for name, _ in head.named_parameters()}


def test_weights_come_back_as_they_went(design):
    pooling = stirred(LearnedPooling(design, WIDTH, 5))
    again = restored(design, WIDTH, weights_of(pooling))
    assert torch.equal(again(*batch(design)), pooling(*batch(design)))
    assert not again.training


def test_weights_of_another_design_are_refused():
    weights = weights_of(LearnedPooling(PoolingDesign((1,), queries=2), WIDTH))
    with pytest.raises(UsageError, match="the weights do not fit this pooling"):
        restored(PoolingDesign((1,), queries=4), WIDTH, weights)
    with pytest.raises(UsageError, match="the weights do not fit this pooling"):
        restored(PoolingDesign((1,), "mean"), WIDTH, weights)


def test_lower_precision_around_it_does_not_change_it(design):
    pooling = stirred(LearnedPooling(design, WIDTH))
    states, pool = batch(design)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = pooling(states, pool)
    assert torch.equal(found, pooling(states, pool))


def test_a_seed_decides_the_first_weights_and_torchs_own_numbers_are_not_touched(design):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    one, same, other = (PooledHead(LearnedPooling(design, WIDTH, seed), 2, 0.1, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(one.output.weight, same.output.weight)
    assert not torch.equal(one.output.weight, other.output.weight)


@pytest.mark.parametrize("over", ["mean", "first", "max"])
def test_one_layer_without_attention_is_plain_pooling(over):
    design = PoolingDesign((3,), over)
    states, pool = batch(design)
    torch.testing.assert_close(LearnedPooling(design, WIDTH)(states, pool), plain(states[:, 0], pool, over))


@pytest.mark.parametrize("over", ["mean", "first", "max"])
def test_concatenated_layers_stand_side_by_side(over):
    design = PoolingDesign(LAYERS, over, mix="concatenated")
    states, pool = batch(design)
    expected = torch.cat([plain(states[:, at], pool, over) for at in range(3)], dim=1)
    torch.testing.assert_close(LearnedPooling(design, WIDTH)(states, pool), expected)


def test_a_scalar_mix_begins_as_the_mean_of_layers():
    design = PoolingDesign(LAYERS, "mean", mix="scalar")
    states, pool = batch(design)
    pooling = LearnedPooling(design, WIDTH)
    torch.testing.assert_close(pooling(states, pool), plain(states.mean(1), pool, "mean"))
    pooling.weights.data = torch.tensor([0.0, 30.0, 0.0])
    pooling.factor.data = torch.tensor(2.0)
    torch.testing.assert_close(pooling(states, pool), 2 * plain(states[:, 1], pool, "mean"))


def test_attention_is_a_mean_weighted_by_scores():
    design = PoolingDesign((3,))
    states, pool = batch(design)
    pooling = LearnedPooling(design, WIDTH)
    pooling.queries.data.zero_()
    torch.testing.assert_close(pooling(states, pool), plain(states[:, 0], pool, "mean"))
    pooling = stirred(pooling)
    own = states[0, 0, :5]
    keys = (own - own.mean(1, keepdim=True)) / (own.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    shares = (keys @ pooling.queries[0, 0] / WIDTH**0.5).softmax(0)
    torch.testing.assert_close(pooling(states, pool)[0], shares @ own)


def test_several_queries_give_several_different_vectors():
    design = PoolingDesign((3,), queries=4)
    found = stirred(LearnedPooling(design, WIDTH))(*batch(design)).view(3, 4, WIDTH)
    assert all(not torch.allclose(found[0, one], found[0, other]) for one in range(4) for other in range(one))
    torch.testing.assert_close(found[1], found[1, :1].expand(4, -1))  # a text of one token has one vector only


def test_two_stages_attend_inside_layers_and_then_over_them():
    design = PoolingDesign(LAYERS, "mean", mix="two-stage")
    states, pool = batch(design)
    pooling = LearnedPooling(design, WIDTH)
    pooling.layer_queries.data.zero_()
    inside = torch.stack([plain(states[:, at], pool, "mean") for at in range(3)], dim=1)
    torch.testing.assert_close(pooling(states, pool), inside.mean(1))
    pooling = stirred(pooling)
    keys = torch.nn.functional.layer_norm(inside, (WIDTH,))
    shares = (keys @ pooling.layer_queries[0] / WIDTH**0.5).softmax(1)
    torch.testing.assert_close(pooling(states, pool), (shares.unsqueeze(-1) * inside).sum(1))


def test_two_stages_have_no_states_of_their_own():
    design = PoolingDesign(LAYERS, mix="two-stage")
    with pytest.raises(UsageError, match="two-stage pooling has no states of its own"):
        LearnedPooling(design, WIDTH).mixed(batch(design)[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (((3,), "sum"), "unknown pooling over positions: 'sum'; choose from: mean, first, max, attention"),
        (((3,), "mean", 1, "both"), "unknown pooling over layers: 'both'; choose from: one, concatenated"),
        (((), "mean"), "found layers none for a pooling"),
        (((4, 2), "mean", 1, "scalar"), "found layers 4, 2 for a pooling, expected numbers from 0"),
        (((2, 2), "mean", 1, "scalar"), "found layers 2, 2 for a pooling"),
        (((-1,), "mean"), "found layers -1 for a pooling"),
        (((2, 4), "mean"), "found layers 2, 4 for a pooling with mix 'one', expected one layer"),
        (((2,), "mean", 1, "two-stage"), "with mix 'two-stage', expected two or more"),
        (((2,), "attention", 0), "found 0 queries for a pooling, expected 1 or more"),
        (((2,), "mean", 4), "found 4 queries over 'mean'; only 'attention' gives several vectors"),
    ],
)
def test_a_design_that_gives_no_vector_is_refused(arguments, said):
    with pytest.raises(UsageError, match=said):
        PoolingDesign(*arguments)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"codec": "int2"}, "unknown codec 'int2'; choose from: float32"),
        ({"dropout": 1.0}, "found dropout 1.0 for a pooling"),
        ({"kind": "tagging"}, "a task of kind 'tagging' reads each token: there is nothing to pool; fit a tail"),
        ({"kind": "span"}, "nothing to pool"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        PoolingSettings(design=PoolingDesign((2,)), **settings)
