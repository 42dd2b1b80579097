"""A shortened encoder is the encoder itself without the layers that were left out, in every family that has layers."""

from types import SimpleNamespace

import pytest
import torch

from embank.distill.task_settings import StudentSettings, spread, teacher_layers
from embank.encoders.resume import Upper
from embank.errors import UsageError
from embank.models.shortened import anatomy_of, shortened
from material.families import LAYERS, WHOLE, WIDTH, all_states, inputs, run, tiny

CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def encoder(family):
    model = tiny(family)
    return SimpleNamespace(model=model, n_layers=LAYERS, width=WIDTH, folder=SimpleNamespace(family=family))


def told_apart(one, other, mask):
    return not torch.allclose(one[mask > 0], other[mask > 0], **CLOSE)


@pytest.mark.parametrize("family", WHOLE)
def test_all_layers_give_the_encoders_own_output(family):
    ids, mask = inputs()
    whole = encoder(family)
    copy = shortened(whole, tuple(range(LAYERS)))
    with torch.no_grad():
        torch.testing.assert_close(run(copy.model, ids, mask)[mask > 0], run(whole.model, ids, mask)[mask > 0], **CLOSE)


@pytest.mark.parametrize("family", WHOLE)
@pytest.mark.parametrize("chosen", [(1, 2, 3), (1, 2), (3,), (0, 1)])
def test_neighbouring_layers_give_what_these_layers_make_of_the_embeddings(family, chosen):
    ids, mask = inputs()
    found = shortened(encoder(family), chosen)
    embedded = all_states(tiny(family), ids, mask)[0]
    cut, count = chosen[0], len(chosen)
    upper = Upper(tiny(family), cut, LAYERS, count)
    with torch.no_grad():
        own, expected = run(found.model, ids, mask), upper(embedded, mask)
    torch.testing.assert_close(own[mask > 0], expected[mask > 0], **CLOSE)


@pytest.mark.parametrize("family", WHOLE)
def test_layers_far_apart_run_one_after_the_other_and_padding_moves_nothing(family):
    ids, mask = inputs()
    short = shortened(encoder(family), (0, 3))
    assert short.n_layers == 2
    with torch.no_grad():
        own = run(short.model, ids, mask)
        alone = run(short.model, ids[1:2, :4], mask[1:2, :4])
        others = [run(shortened(encoder(family), layers).model, ids, mask) for layers in ((0,), (3,), (3, 0))]
    torch.testing.assert_close(own[1:2, :4], alone, rtol=1e-3, atol=1e-3)
    assert all(told_apart(own, other, mask) for other in others)


@pytest.mark.parametrize("family", WHOLE)
def test_a_copy_has_weights_of_its_own_and_leaves_the_encoder_as_it_was(family):
    ids, mask = inputs()
    whole = encoder(family)
    before = whole.model.config.to_dict()
    with torch.no_grad():
        expected = run(whole.model, ids, mask)
        copy = shortened(whole, (2, 3))
        for parameter in copy.model.parameters():
            parameter.zero_()
        torch.testing.assert_close(run(whole.model, ids, mask), expected)
    assert whole.model.config.to_dict() == before
    own = {id(parameter) for parameter in whole.model.parameters()}
    assert not own & {id(parameter) for parameter in copy.model.parameters()}
    assert copy.model.config.num_hidden_layers == 2


def test_a_family_with_one_layer_for_all_depths_is_refused():
    with pytest.raises(UsageError, match="albert runs the same layer at every depth.*baseline finetune"):
        anatomy_of("albert")
    with pytest.raises(UsageError, match="family 'fnet' cannot be taken apart.*families that can: bert, "):
        anatomy_of("fnet")


def test_layers_are_spread_from_the_first_to_the_last():
    assert [spread(count, 12) for count in (1, 2, 3, 4, 12)] == [
        (0,), (0, 11), (0, 6, 11), (0, 4, 7, 11), tuple(range(12))
    ]  # fmt: skip
    assert all(len(set(spread(count, depth))) == count for depth in range(1, 30) for count in range(1, depth + 1))


def test_the_last_state_of_a_student_learns_the_last_of_its_teacher():
    for depth in range(1, 30):
        for count in range(1, depth + 1):
            found = teacher_layers(count, depth)
            assert found[-1] == depth
            assert len(set(found)) == count
            assert found[0] >= 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"layers": 0}, "found 0 layers for a student, expected at least 1"),
        ({"temperature": 0}, "found a temperature of 0, expected more than 0"),
        ({"hidden_weight": -1}, "found a weight of -1 for states"),
        ({"label_weight": 1.5}, "found a share of 1.5 for labels, expected 0 to 1"),
        ({"chosen": (3, 1)}, "found layers 3,1 for a student, expected each once and in ascending order"),
        ({"chosen": (1, 1)}, "found layers 1,1 for a student"),
    ],
)
def test_settings_that_no_student_can_be_made_of_are_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        StudentSettings(**settings)


def test_an_encoder_of_too_few_layers_is_refused():
    with pytest.raises(UsageError, match="a student asks for 7 layers; this encoder has 6, numbered 0 to 5"):
        StudentSettings(layers=7).kept(6)
    with pytest.raises(UsageError, match="a student asks for layer 6; this encoder has 6, numbered 0 to 5"):
        StudentSettings(chosen=(0, 6)).kept(6)
    assert StudentSettings(layers=6).kept(6) == (0, 1, 2, 3, 4, 5)
    assert StudentSettings(chosen=(1, 4)).kept(6) == (1, 4)
