"""Tiny encoders made from configurations: random weights, a tokenizer built here, no download."""

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from material.families import needs

WORDS = [
    *[
        "the",
        "a",
        "an",
        "of",
        "in",
        "on",
        "and",
        "or",
        "not",
        "is",
        "was",
        "heat",
        "water",
        "pump",
        "parcel",
        "order",
        "late",
        "lost",
        "broken",
        "thanks",
        "fine",
        "city",
        "paris",
    ],
    *[
        "small",
        "large",
        "red",
        "blue",
        "machine",
        "learning",
        "query",
        "passage",
        ":",
        ".",
        ",",
        "!",
        "?",
        "1",
        "2",
        "3",
        "7",
        "42",
        "##s",
        "##ing",
        "##ed",
        "##er",
        "##ly",
    ],
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNKNOWN = SPECIAL[1]
VOCABULARY = len(SPECIAL) + len(WORDS)
TEXTS = [
    "the pump is broken",
    "a",
    "thanks, all fine!",
    "the parcel was lost in paris and the order is late . " * 3,
    "small red machine, large blue machine",
    "Zürich ☃ 42 7 3",
    "not the water, the heat",
]
"""Different lengths: several shapes, padded rows and rows that are not."""


def tiny_tokenizer(*, causal=False, lower=True, words=WORDS, **settings):
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if causal:  # an end token, and nothing in front: as embedding models made of decoders do
        tokenizer.post_processor = processors.TemplateProcessing(
            single="$A [SEP]", pair="$A $B:1 [SEP]:1", special_tokens=[("[SEP]", 3)]
        )
        special = {"eos_token": "[SEP]"}
    else:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
        special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        unk_token=UNKNOWN,
        **special,
        **{"model_max_length": 64, "model_input_names": inputs, **settings},
    )


_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 80,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "initializer_range": 0.3,
}
_DECODER = {**_SHAPE, "num_key_value_heads": 2, "head_dim": 8}

FAMILIES = {
    "bert": lambda: transformers.BertModel(transformers.BertConfig(**_SHAPE)),
    "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**_SHAPE)),
    "xlm-roberta": lambda: transformers.XLMRobertaModel(transformers.XLMRobertaConfig(**_SHAPE)),
    "distilbert": lambda: transformers.DistilBertModel(
        transformers.DistilBertConfig(
            vocab_size=VOCABULARY, dim=32, n_layers=3, n_heads=4, hidden_dim=48, max_position_embeddings=80
        )
    ),
    "electra": lambda: transformers.ElectraModel(transformers.ElectraConfig(**_SHAPE, embedding_size=16)),
    "mpnet": lambda: transformers.MPNetModel(transformers.MPNetConfig(**_SHAPE)),
    "deberta-v2": lambda: transformers.DebertaV2Model(
        transformers.DebertaV2Config(
            **_SHAPE, relative_attention=True, position_buckets=8, pos_att_type=["p2c", "c2p"], share_att_key=True
        )
    ),
    "albert": lambda: transformers.AlbertModel(transformers.AlbertConfig(**_SHAPE, embedding_size=16)),
    "t5": lambda: transformers.T5EncoderModel(
        transformers.T5Config(vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4)
    ),
    "modernbert": lambda: transformers.ModernBertModel(
        transformers.ModernBertConfig(
            **{**_SHAPE, "cls_token_id": 2, "sep_token_id": 3}, global_attn_every_n_layers=2, local_attention=8
        )
    ),
    "qwen3": lambda: transformers.Qwen3Model(transformers.Qwen3Config(**_DECODER)),
    "llama": lambda: transformers.LlamaModel(transformers.LlamaConfig(**_DECODER)),
    "mistral": lambda: transformers.MistralModel(transformers.MistralConfig(**_DECODER)),
    "gemma3_text": lambda: transformers.Gemma3TextModel(
        transformers.Gemma3TextConfig(**_DECODER, use_bidirectional_attention=True, sliding_window=8)
    ),
    # Not in the anatomy table:
    "convbert": lambda: transformers.ConvBertModel(transformers.ConvBertConfig(**_SHAPE, embedding_size=32)),
    "roformer": lambda: transformers.RoFormerModel(transformers.RoFormerConfig(**_SHAPE)),
    "fnet": lambda: transformers.FNetModel(transformers.FNetConfig(**_SHAPE)),
    "xlnet": lambda: transformers.XLNetModel(
        transformers.XLNetConfig(vocab_size=VOCABULARY, d_model=32, n_layer=3, n_head=4, d_inner=48)
    ),
    "gpt2": lambda: transformers.GPT2Model(
        transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=3, n_head=4, n_positions=80)
    ),
}
CAUSAL = ("qwen3", "llama", "mistral", "gemma3_text", "gpt2")


def save_family(folder, family, **tokenizer_settings):
    needs(family)
    torch.manual_seed(7)
    FAMILIES[family]().eval().save_pretrained(folder)
    tiny_tokenizer(causal=family in CAUSAL, **tokenizer_settings).save_pretrained(folder)
    return folder
