"""A tiny random encoder of every family in the anatomy table, with dropout in its layers, and inputs for it."""

import pytest
import torch
import transformers

from embank.encoders.architectures import ANATOMY
from embank.encoders.capture import states

WORDS = 97
WIDTH = 32
LAYERS = 4
_SHAPE = {
    "vocab_size": WORDS,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "initializer_range": 0.3,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}
_ROBERTA = {**_SHAPE, "pad_token_id": 1}
_DEBERTA = {**_SHAPE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
_SMALL_T5 = {"vocab_size": WORDS, "d_model": WIDTH, "d_kv": 8, "d_ff": 48, "num_layers": LAYERS, "num_heads": 4}
_ROTARY = {**_SHAPE, "attention_dropout": 0.1, "resid_pdrop": 0.1, "embd_pdrop": 0.1}
_DECODER = {**_ROTARY, "num_key_value_heads": 2, "head_dim": 8}

SETTINGS = {
    "bert": _SHAPE,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": {**_SHAPE, "embedding_size": 16},
    "mpnet": _ROBERTA,
    "deberta": _DEBERTA,
    "deberta-v2": {**_DEBERTA, "position_buckets": 8, "share_att_key": True, "norm_rel_ebd": "layer_norm"},
    "distilbert": {
        "vocab_size": WORDS,
        "dim": WIDTH,
        "n_layers": LAYERS,
        "n_heads": 4,
        "hidden_dim": 48,
        "max_position_embeddings": 40,
        "initializer_range": 0.3,
    },
    "albert": {**_SHAPE, "embedding_size": 16},
    "t5": _SMALL_T5,
    "mt5": _SMALL_T5,
    "umt5": _SMALL_T5,
    "modernbert": {
        **_ROTARY,
        "cls_token_id": 2,
        "sep_token_id": 3,
        "global_attn_every_n_layers": 2,
        "local_attention": 8,
        "mlp_dropout": 0.1,
    },
    "nomic_bert": _ROTARY,
    "gte": _ROTARY,
    "jina_embeddings_v3": {**_ROTARY, "pad_token_id": 1},
    "llama": _DECODER,
    "mistral": {**_DECODER, "sliding_window": 4},
    "qwen2": {**_DECODER, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    "qwen3": {**_DECODER, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    "gemma3_text": {**_DECODER, "use_bidirectional_attention": True, "sliding_window": 4},
    "eurobert": {**_DECODER, "mask_token_id": 4},
}
FAMILIES = sorted(SETTINGS)
WHOLE = [family for family in FAMILIES if not ANATOMY[family].shared]
"""Families whose upper layers have weights of their own."""


def needs(family):
    """Skip a test of a family that came to transformers after the oldest version that is allowed."""
    if family not in transformers.CONFIG_MAPPING:
        pytest.skip(f"transformers {transformers.__version__} has no {family}")


def tiny(family, **changes):
    """The same weights at every call."""
    needs(family)
    config = transformers.AutoConfig.for_model(family, **{**SETTINGS[family], **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        loader = getattr(transformers, ANATOMY[family].model)
        model = loader.from_config(config) if ANATOMY[family].model == "AutoModel" else loader(config)
        # Norms that begin as ones and biases that begin as zeros would hide that they were left out.
        for parameter in model.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()


def inputs(*, padded=True):
    """Token numbers and mask of three texts, `[3, 9]`."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(5, WORDS, (3, 9), generator=generator)
    mask = torch.ones_like(ids)
    if padded:
        mask[1, 4:] = 0
        mask[2, 7:] = 0
    return ids, mask


def padding(model):
    """The token number that fills rows up."""
    return model.get_input_embeddings().padding_idx or 0


def all_states(model, ids, mask):
    """States 0 to L, as a bank has them."""
    with torch.no_grad():
        found = states(
            model, {"input_ids": filled(model, ids, mask), "attention_mask": mask}, range(LAYERS + 1), LAYERS
        )
    return [state.clone() for state in found]


def filled(model, ids, mask):
    """Token numbers with padding where the mask is 0."""
    return torch.where(mask > 0, ids, padding(model))


def run(model, ids, mask):
    """The whole model's own output."""
    extra = {"use_cache": False} if ANATOMY[model.config.model_type].causal else {}
    return model(input_ids=filled(model, ids, mask), attention_mask=mask, **extra).last_hidden_state
