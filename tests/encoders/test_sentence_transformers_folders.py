"""Folders that sentence-transformers itself wrote: `own` equals its `encode`, and what cannot be run is named."""

import json
import shutil

import numpy as np
import pytest
import torch

from embank.encode.default_columns import resolve
from embank.encoders import Readout
from embank.encoders.batching import batches
from embank.encoders.folder import read_folder, weights_digest
from embank.encoders.load import ReadingOptions, locate, open_encoder
from embank.errors import EncoderError, UsageError
from embank.recipe import ColumnName

sentence_transformers = pytest.importorskip("sentence_transformers")
modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
OWN = Readout(3, "own")


@pytest.fixture
def built(family_folder, tmp_path):
    """Builds a folder with sentence-transformers; gives the folder and the model."""

    def build(*after, family="bert", name="built", **settings):
        limit = settings.pop("max_seq_length", 32)
        first = modules.Transformer(str(family_folder(family)), max_seq_length=limit)
        model = sentence_transformers.SentenceTransformer(modules=[first, *after], device="cpu", **settings)
        model.save(str(tmp_path / name), create_model_card=False)
        return tmp_path / name, model

    return build


@pytest.fixture
def opened(tmp_path):
    def open_(folder, backend="torch", **options):
        located = locate(str(folder), ReadingOptions(**options), local_files_only=True)
        return open_encoder(located, backend, "float32", tmp_path / "graphs")

    return open_


@pytest.mark.parametrize(
    "mode", ["cls", "max", "mean", "lasttoken", ("cls", "mean"), ("mean", "max", "lasttoken"), ("max", "cls")]
)
def test_every_pooling_mode_equals_encode(mode, built, opened, encode, close, texts):
    folder, model = built(modules.Pooling(32, pooling_mode=mode))
    found = encode(opened(folder), texts, [OWN])[0]
    close(found, model.encode(texts))
    assert found.shape[1] == (32 if isinstance(mode, str) else 32 * len(mode))


@pytest.mark.parametrize("old", [True, False])
def test_pooling_settings_are_read_in_the_old_writing_and_the_new(old, built, opened, encode, close, texts):
    folder, model = built(modules.Pooling(32, pooling_mode=("cls", "mean")))
    file = folder / "1_Pooling" / "config.json"
    written = json.loads(file.read_text())
    assert written["pooling_mode"] == ["cls", "mean"]  # what sentence-transformers 6 writes
    if old:
        flags = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}
        file.write_text(json.dumps({"word_embedding_dimension": 32, **flags}))
    close(encode(opened(folder), texts, [OWN])[0], model.encode(texts))


def test_settings_that_name_no_mode_mean_the_mean(built):
    folder, _ = built(modules.Pooling(32, pooling_mode="cls"))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32}))
    assert read_folder(folder).own.modes == ("mean",)


def test_normalised_mean_equals_encode_and_has_a_plain_name(built, opened, encode, close, texts):
    folder, model = built(modules.Pooling(32, pooling_mode="mean"), modules.Normalize())
    own, plain = encode(opened(folder), texts, [OWN, Readout(3, "mean", ("unit",))])
    close(own, model.encode(texts))
    np.testing.assert_array_equal(own, plain)
    located = locate(str(folder))
    assert resolve(located, [ColumnName("built", 3, "own")]) == [ColumnName("built", 3, "mean", ("unit",))]


@pytest.mark.parametrize(
    ("backend", "activation"),
    [("torch", torch.nn.Tanh()), ("torch", torch.nn.Identity()), ("openvino", torch.nn.Tanh())],
)
def test_projections_after_pooling_equal_encode(activation, backend, built, opened, encode, close, texts):
    if backend == "openvino":
        pytest.importorskip("openvino")
    torch.manual_seed(3)
    dense = [
        modules.Dense(32, 20, activation_function=activation),
        modules.Dense(20, 8, bias=False, activation_function=torch.nn.Identity()),
    ]
    folder, model = built(modules.Pooling(32, pooling_mode="mean"), *dense, modules.Normalize())
    encoder = opened(folder, backend)
    assert encoder.width_of(OWN) == 8
    close(encode(encoder, texts, [OWN])[0], model.encode(texts))
    kept = resolve(locate(str(folder)), [ColumnName("built", 3, "own")])
    assert kept == [ColumnName("built", 3, "own", ("unit",))]  # averages of windows are scaled again


def test_the_width_of_a_projection_can_be_asked_for_after_it_has_run(built, opened, texts):
    dense = modules.Dense(32, 8, activation_function=torch.nn.Identity())
    encoder = opened(built(modules.Pooling(32, pooling_mode="mean"), dense)[0])
    _, batch = next(iter(batches(encoder.tokens(texts), encoder.budget, encoder.padding)))
    encoder.vectors(batch, [OWN])  # as where backends are compared before a column is made
    assert encoder.width_of(OWN) == 8


def test_a_causal_decoder_pools_its_closing_token(built, opened, encode, close, texts):
    folder, model = built(modules.Pooling(32, pooling_mode="lasttoken"), modules.Normalize(), family="qwen3")
    encoder = opened(folder)
    assert {ids[-1] for ids in encoder.tokens(texts).ids} == {3}
    close(encode(encoder, texts, [OWN])[0], model.encode(texts))


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
def test_the_default_prompt_is_put_before_every_text(counts, mode, built, opened, encode, close, texts):
    pooling = modules.Pooling(32, pooling_mode=mode, include_prompt=counts)
    prompts = {"query": "query : ", "passage": "passage : "}
    folder, model = built(pooling, prompts=prompts, default_prompt_name="query")
    encoder = opened(folder)
    assert encoder.reading.prompt == "query : "
    assert encoder.tokens(texts).skip == (0 if counts else 3)
    close(encode(encoder, texts, [OWN])[0], model.encode(texts))
    close(encode(opened(folder, prompt="passage : "), texts, [OWN])[0], model.encode(texts, prompt_name="passage"))
    close(encode(opened(folder, prompt=""), texts, [OWN])[0], model.encode(texts, prompt=""))


def test_the_longest_input_is_the_folders(built, opened, encode, close, texts):
    folder, model = built(modules.Pooling(32, pooling_mode="mean"), max_seq_length=9)
    encoder = opened(folder)
    tokens = encoder.tokens(texts)
    assert encoder.reading.max_tokens == max(map(len, tokens.ids)) == 9
    assert tokens.cut.sum() >= 1
    close(encode(encoder, texts, [OWN])[0], model.encode(texts))


def test_texts_are_lower_cased_where_the_folder_says_so(tmp_path, built, opened, encode, close, texts, tiny):
    folder, _ = built(modules.Pooling(32, pooling_mode="mean"))
    tiny(lower=False).save_pretrained(folder)
    shouted = [text.upper() for text in texts]
    told = json.loads((folder / "sentence_bert_config.json").read_text())
    (folder / "sentence_bert_config.json").write_text(json.dumps({**told, "do_lower_case": True}))
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    found = encode(opened(folder), shouted, [OWN])[0]
    close(found, model.encode(shouted))
    close(found, encode(opened(folder), texts, [OWN])[0])


UNKNOWN = {
    "LayerNorm": lambda: [modules.Pooling(32), modules.LayerNorm(32)],
    "Pooling with weightedmean": lambda: [modules.Pooling(32, pooling_mode="weightedmean")],
    "Dense with ReLU": lambda: [modules.Pooling(32), modules.Dense(32, 8, activation_function=torch.nn.ReLU())],
    "Dense with a residual": lambda: [modules.Pooling(32), modules.Dense(32, 8, use_residual=True)],
    "Normalize before Dense": lambda: [modules.Pooling(32), modules.Normalize(), modules.Dense(32, 8)],
    "Dense on token_embeddings": lambda: [
        modules.Dense(32, 32, module_input_name="token_embeddings"),
        modules.Pooling(32),
    ],
}


@pytest.mark.parametrize("named", UNKNOWN)
def test_what_cannot_be_run_is_named_and_other_poolings_work(named, built, opened, encode, texts):
    folder, _ = built(*UNKNOWN[named]())
    encoder = opened(folder)
    with pytest.raises(UsageError, match=f"it uses {named}"):
        encoder.width_of(OWN)
    assert np.isfinite(encode(encoder, texts, [Readout(3, "mean")])[0]).all()


def test_a_projection_in_a_pickle_is_not_read(built, opened):
    folder, _ = built(modules.Pooling(32), modules.Dense(32, 8))
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(UsageError, match="Dense without safetensors weights"):
        opened(folder).width_of(OWN)


def test_the_folders_own_pooling_belongs_to_the_last_layer(built, opened):
    folder, _ = built(modules.Pooling(32))
    with pytest.raises(UsageError, match="belongs to layer 3"):
        opened(folder).width_of(Readout(2, "own"))
    with pytest.raises(UsageError, match="belongs to its last layer, 3"):
        resolve(locate(str(folder)), [ColumnName("built", 2, "own")])


def test_the_digest_covers_projections_and_whether_the_prompt_counts(built, family_folder):
    torch.manual_seed(0)
    plain, _ = built(modules.Pooling(32), name="plain")
    unit, _ = built(modules.Pooling(32), modules.Normalize(), name="unit")
    one, _ = built(modules.Pooling(32), modules.Dense(32, 8), name="one")
    other, _ = built(modules.Pooling(32), modules.Dense(32, 8), name="other")
    silent, _ = built(modules.Pooling(32, include_prompt=False), name="silent")
    shutil.copytree(one, one.parent / "copy")
    found = {folder.name: weights_digest(read_folder(folder)) for folder in (plain, unit, one, other, silent)}
    assert found["plain"] == found["unit"] == weights_digest(read_folder(family_folder("bert")))
    assert len(set(found.values())) == 4
    assert weights_digest(read_folder(one.parent / "copy")) == found["one"]


def test_a_folder_whose_pooling_has_no_settings_is_refused(built):
    folder, _ = built(modules.Pooling(32))
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(EncoderError, match="cannot be read"):
        read_folder(folder)
