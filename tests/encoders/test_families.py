"""Every family, tiny and random: states, poolings and batches against transformers' own code, text by text."""

import warnings

import numpy as np
import pytest
import torch

from embank.encoders import Readout
from embank.encoders.architectures import ANATOMY
from embank.errors import EncoderError, UsageError

LISTED = [
    *(["bert", "roberta", "xlm-roberta", "distilbert", "electra", "mpnet", "deberta-v2", "albert", "t5", "modernbert"]),
    *(["qwen3", "llama", "mistral", "gemma3_text"]),
]
UNLISTED = ["convbert", "roformer", "fnet", "xlnet", "gpt2"]
POOLINGS = {
    "mean": lambda state: state.mean(0),
    "max": lambda state: state.amax(0),
    "first": lambda state: state[0],
    "last": lambda state: state[-1],
}


def states_by_transformers(encoder, ids):
    """States 0 to L of one text, by the model's own output."""
    inputs = {"input_ids": torch.tensor([list(ids)])}
    if encoder.facts.family != "fnet":
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = encoder.model(**inputs, output_hidden_states=True)
    return [*(state[0] for state in output.hidden_states[:-1]), output.last_hidden_state[0]]


@pytest.mark.parametrize("family", [*LISTED, *UNLISTED])
def test_every_layer_and_pooling_equals_transformers_text_by_text(family, open_tiny, encode, close, texts):
    encoder = open_tiny(family)
    assert (family in ANATOMY) == (family in LISTED)
    tokens = encoder.tokens(texts)
    readouts = [Readout(layer, pooling) for layer in range(4) for pooling in POOLINGS]
    found = encode(encoder, texts, readouts)
    for at in range(len(texts)):
        states = states_by_transformers(encoder, tokens.ids[at])
        for readout, vectors in zip(readouts, found, strict=True):
            close(vectors[at], POOLINGS[readout.pooling](states[readout.layer]).numpy())


@pytest.mark.parametrize("family", [*LISTED, *UNLISTED])
def test_no_row_depends_on_its_batch(family, open_tiny, encode, close, texts):
    encoder = open_tiny(family)
    readouts = [Readout(1, "mean"), Readout(3, "max"), Readout(3, "last")]
    alone = [
        np.concatenate(parts) for parts in zip(*(encode(encoder, [text], readouts) for text in texts), strict=True)
    ]
    together = encode(encoder, texts, readouts)
    small = encode(encoder, texts[::-1], readouts, budget=48)
    for one, all_, few in zip(alone, together, small, strict=True):
        close(all_, one)
        close(few[::-1], one)


@pytest.mark.parametrize("family", LISTED)
def test_no_layer_above_the_highest_asked_for_is_run(family, open_tiny, encode, texts):
    encoder = open_tiny(family)
    path = ANATOMY[family].layers.split(".")
    modules = encoder.model
    for name in path:
        modules = getattr(modules, name)
    runs = []
    hooks = [module.register_forward_hook(lambda *_: runs.append(1)) for module in modules]
    counted = {}
    for highest in range(4):
        runs.clear()
        encode(encoder, texts[:2], [Readout(layer, "mean") for layer in range(highest + 1)], budget=4096)
        counted[highest] = len(runs)
    for hook in hooks:
        hook.remove()
    assert counted == {0: 0, 1: 1, 2: 2, 3: 3}


@pytest.mark.parametrize("family", ["bert", "t5", "albert", "qwen3"])
def test_asking_low_layers_leaves_no_trace_in_the_model(family, open_tiny, encode, close, texts):
    encoder = open_tiny(family)
    before = encode(encoder, texts, [Readout(3, "mean")])[0]
    encode(encoder, texts, [Readout(1, "mean")])
    close(encode(encoder, texts, [Readout(3, "mean")])[0], before, 0.0)


@pytest.mark.parametrize("family", ["bert", "electra", "albert", "deberta-v2", "roformer", "convbert"])
def test_token_types_of_a_pair_reach_the_families_that_have_them(family, open_tiny, encode, close):
    encoder = open_tiny(family)
    pair = ("the pump is broken", "send water")
    tokens = encoder.tokens([pair])
    inputs = {
        "input_ids": torch.tensor([tokens.ids[0]]),
        "attention_mask": torch.ones(1, len(tokens.ids[0]), dtype=torch.long),
    }
    with torch.inference_mode():
        plain = encoder.model(**inputs).last_hidden_state[0].mean(0).numpy()
        typed = encoder.model(**inputs, token_type_ids=torch.tensor([tokens.types[0]])).last_hidden_state[0].mean(0)
    found = encode(encoder, [pair], [Readout(3, "mean")])[0][0]
    has_types = encoder.model.config.type_vocab_size > 1
    assert (np.abs(plain - typed.numpy()).max() > 1e-3) == has_types
    close(found, typed.numpy())


@pytest.mark.parametrize("family", ["convbert", "fnet"])
def test_a_model_that_reads_its_padding_gets_none(family, open_tiny):
    assert open_tiny(family).apart
    assert not open_tiny("roformer").apart


@pytest.mark.parametrize("family", ["mpnet", "t5", "modernbert", "qwen3", "fnet"])
def test_a_converted_graph_equals_torch(family, open_tiny, encode, close, texts):
    pytest.importorskip("openvino")
    readouts = [Readout(0, "first"), Readout(2, "max"), Readout(3, "mean", ("unit",)), Readout(3, "last")]
    right = encode(open_tiny(family), texts, readouts)
    found = encode(open_tiny(family, "openvino"), texts, readouts)
    for one, other in zip(found, right, strict=True):
        close(one, other, 1e-4)


def test_a_converted_graph_is_kept_and_read_again(open_tiny, encode, texts, tmp_path, monkeypatch):
    graph = pytest.importorskip("embank.encoders.openvino")
    first = encode(open_tiny("bert", "openvino"), texts, [Readout(1, "mean")])[0]
    assert sorted(file.suffix for file in (tmp_path / "graphs").iterdir()) == [".bin", ".xml"]
    monkeypatch.setattr(graph.ov, "convert_model", None)
    again = encode(open_tiny("bert", "openvino"), texts, [Readout(1, "mean")])[0]
    np.testing.assert_array_equal(first, again)


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(open_tiny):
    encoder = open_tiny("bert")
    with pytest.raises(UsageError, match="layers 0 to 3; there is no layer 4"):
        encoder.width_of(Readout(4, "mean"))
    with pytest.raises(UsageError, match="has no pooling of its own"):
        encoder.width_of(Readout(3, "own"))


def test_weights_that_are_missing_are_not_made_up(family_folder, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    from embank.encoders.load import locate, open_encoder

    shutil.copytree(family_folder("bert"), tmp_path / "bert")
    file = tmp_path / "bert" / "model.safetensors"
    weights = load_file(file)
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(
        EncoderError, match=r"lacks weights of its encoder: encoder.layer.1.output.dense.weight; 1 in all"
    ):
        open_encoder(locate(str(tmp_path / "bert")), "torch", "float32", tmp_path)
