"""What a folder says about its encoder: refusals, limits, and digests that know the encoder and not the place."""

import hashlib
import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from embank.encoders.folder import read_folder, sha256_of, tokenizer_digest, weights_digest
from embank.errors import EncoderError


@pytest.fixture
def bert(family_folder, tmp_path):
    """A copy that may be changed."""
    return shutil.copytree(family_folder("bert"), tmp_path / "bert")


def change(file, **settings):
    told = json.loads(file.read_text()) if file.is_file() else {}
    gone = [name for name, value in settings.items() if value is None]
    file.write_text(json.dumps({name: value for name, value in (told | settings).items() if name not in gone}))


def test_pickled_weights_are_refused_with_the_line_that_converts_them(bert):
    (bert / "model.safetensors").rename(bert / "pytorch_model.bin")
    with pytest.raises(
        EncoderError, match=r"has pytorch_model.bin; .*AutoModel.from_pretrained\(FOLDER\).save_pretrained"
    ):
        read_folder(bert)


def test_a_folder_without_weights_says_so(bert):
    (bert / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="has no weights"):
        read_folder(bert)


def test_a_folder_without_a_configuration_is_no_encoder(bert):
    (bert / "config.json").unlink()
    with pytest.raises(EncoderError, match="it has no config.json"):
        read_folder(bert)


def test_a_configuration_that_cannot_be_read_is_named(bert):
    (bert / "config.json").write_text("{")
    with pytest.raises(EncoderError, match="config.json cannot be read"):
        read_folder(bert)


def test_a_configuration_without_layers_is_no_text_encoder(bert):
    change(bert / "config.json", num_hidden_layers=None, model_type="picture")
    with pytest.raises(EncoderError, match="names none of num_hidden_layers.*is 'picture' a text encoder"):
        _ = read_folder(bert).layers


def test_a_folder_without_a_tokenizer_is_refused(bert):
    (bert / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match="neither tokenizer.json nor a vocabulary file"):
        tokenizer_digest(read_folder(bert))


def test_digests_do_not_depend_on_where_the_encoder_came_from(bert, family_folder):
    original = read_folder(family_folder("bert"))
    change(
        bert / "config.json", _name_or_path="elsewhere", transformers_version="4.0.0", dtype="float16", use_cache=False
    )
    change(
        bert / "tokenizer_config.json",
        name_or_path="elsewhere",
        tokenizer_file="/home/me/tokenizer.json",
        is_local=True,
    )
    moved = read_folder(bert)
    assert moved.path != original.path
    assert weights_digest(moved) == weights_digest(original)
    assert tokenizer_digest(moved) == tokenizer_digest(original)


def test_the_weights_digest_changes_with_one_number(bert):
    before = weights_digest(read_folder(bert))
    weights = load_file(bert / "model.safetensors")
    weights["embeddings.LayerNorm.bias"][5] += 1e-6
    save_file(weights, bert / "model.safetensors", {"format": "pt"})
    assert weights_digest(read_folder(bert)) != before


@pytest.mark.parametrize("setting", [{"hidden_act": "relu"}, {"layer_norm_eps": 1e-5}, {"num_attention_heads": 8}])
def test_the_weights_digest_changes_with_a_setting_that_shapes_the_states(bert, setting):
    before = weights_digest(read_folder(bert))
    change(bert / "config.json", **setting)
    assert weights_digest(read_folder(bert)) != before


def test_the_tokenizer_digest_changes_with_its_vocabulary_and_with_lower_casing(bert, tiny):
    found = {tokenizer_digest(read_folder(bert))}
    (bert / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    found.add(tokenizer_digest(read_folder(bert)))
    tiny(words=["a", "b"]).save_pretrained(bert)
    found.add(tokenizer_digest(read_folder(bert)))
    assert len(found) == 3


def test_a_digest_of_a_file_in_pieces_is_that_of_the_whole(tmp_path):
    content = bytes(range(256)) * (9 << 12)  # more than two pieces
    (tmp_path / "large").write_bytes(content)
    assert sha256_of(tmp_path / "large") == hashlib.sha256(content).hexdigest()


LIMITS = [
    ("bert", {}, {}, 64, 80),  # the tokenizer's limit; positions allow more
    ("bert", {"model_max_length": 10**30}, {}, 80, 80),  # only positions
    ("bert", {"model_max_length": 4096}, {}, 80, 80),
    ("roberta", {"model_max_length": None}, {}, 78, 78),  # two positions belong to padding
    ("mpnet", {"model_max_length": None}, {}, 78, 78),
    ("bert", {}, {"max_seq_length": 12}, 12, 80),
    ("bert", {}, {"max_seq_length": 1000}, 80, 80),
    ("t5", {"model_max_length": None}, {}, 512, None),
    ("modernbert", {"model_max_length": None}, {}, 80, None),
    ("modernbert", {"model_max_length": None}, {"max_seq_length": 200}, 200, None),
]


@pytest.mark.parametrize(("family", "tokenizer", "sentence", "limit", "most"), LIMITS)
def test_the_longest_input_is_the_first_limit_that_holds(
    family_folder, tmp_path, family, tokenizer, sentence, limit, most
):
    folder = shutil.copytree(family_folder(family), tmp_path / family)
    change(folder / "tokenizer_config.json", **{"model_max_length": 64, **tokenizer})
    if sentence:
        change(folder / "sentence_bert_config.json", **sentence)
    found = read_folder(folder)
    assert (found.max_tokens, found.most_tokens) == (limit, most)


def test_a_transformer_in_a_folder_of_its_own_is_found_there(bert, tmp_path):
    root = tmp_path / "old"
    root.mkdir()
    shutil.move(bert, root / "0_Transformer")
    parts = [{"idx": 0, "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}]
    (root / "modules.json").write_text(json.dumps(parts))
    found = read_folder(root)
    assert found.transformer == root / "0_Transformer"
    assert (found.family, found.layers, found.width, found.own) == ("bert", 3, 32, None)


def test_shape_is_read_under_every_name_that_families_use(family_folder):
    for family in ("bert", "distilbert", "t5", "xlnet", "gpt2", "qwen3"):
        found = read_folder(family_folder(family))
        assert (found.layers, found.width) == (3, 32)


def test_reading_a_folder_writes_nothing_into_it(bert):
    before = {file.name: file.stat().st_mtime_ns for file in bert.iterdir()}
    weights_digest(read_folder(bert))
    tokenizer_digest(read_folder(bert))
    assert {file.name: file.stat().st_mtime_ns for file in bert.iterdir()} == before
