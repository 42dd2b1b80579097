"""A tiny BERT with a tokenizer in a folder, texts that it can tell apart, and labels of every kind for them."""

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import embank

LAYERS, WIDTH = 4, 32
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CITIES = ["bonn", "paris", "rome", "oslo"]
GOOD, BAD = ["fine", "great", "warm"], ["broken", "cold", "lost"]
OTHER = ["the", "pump", "parcel", "order", "is", "was", "in", "and", "where", "what", "very", "?", "."]
SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = [*CITIES, *GOOD, *BAD, *OTHER, *SIGNS, *(f"##{sign}" for sign in SIGNS)]

COLUMN = "tiny/2/states@float16"
LINEAR = "tiny/2/mean@float16"


def save_tiny(folder, family="bert", seed=7):
    """Write an encoder's folder; the same weights at every call."""
    unknown, padding, first, last = SPECIAL[1], SPECIAL[0], SPECIAL[2], SPECIAL[3]
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown, max_input_chars_per_word=40))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    shape = {
        "vocab_size": len(vocabulary),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 48,
        "pad_token_id": 0,
        "initializer_range": 0.1,
    }
    if family == "fnet":  # not in the table of anatomies
        del shape["num_attention_heads"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(family, **shape))
        model.get_input_embeddings().weight.data *= 4  # states tell words apart, so there is something to learn
        model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=padding,
        unk_token=unknown,
        cls_token=first,
        sep_token=last,
        model_max_length=40,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    return folder


def options(**given):
    """A bank's options under which nothing is measured."""
    return embank.BankOptions(compute=embank.ComputeOptions("torch", "float32"), **given)


def texts_of(count, start=0):
    """Texts of different lengths; whether they are good news or bad, and of which city, shows in one word each."""
    return [_text(number) for number in range(start, start + count)]


def _text(number):
    word = [*GOOD, *BAD][number % 6]
    city = CITIES[number // 6 % 4]
    filler = " and very" * (number % 4)
    return f"the {['pump', 'parcel', 'order'][number % 3]} {number}{filler} is {word} in {city}"


def moods(texts):
    return ["good" if any(word in text.split() for word in GOOD) else "bad" for text in texts]


def topics(texts):
    """Several labels, or none."""
    return [
        [name for name, words in (("good", GOOD), ("city", ("bonn", "rome"))) if set(words) & set(text.split())]
        for text in texts
    ]


def sizes(texts):
    return [10.0 * sum(word in text.split() for word in GOOD) + len(text) / 20 for text in texts]


def tags(texts):
    return [["B-city" if word in CITIES else "O" for word in text.split()] for text in texts]


def questions(texts):
    """Pairs, and the answers that stand in the second of each."""
    pairs = [("where is the pump ?" if at % 2 else "what was lost ?", text) for at, text in enumerate(texts)]
    return pairs, [next(word for word in text.split() if word in CITIES) for text in texts]


def settings(kind="auto", columns=(COLUMN,), seed=0, tail=None, **training):
    """What a fit of a tail is asked for: a few quick passes."""
    loop = embank.TrainingSettings(**{"epochs": 2, "batch": 8, "rate": 5e-3, "patience": 8, **training})
    asked = embank.TailSettings(training=loop, **(tail or {}))
    return embank.FitSettings(kind=kind, columns=columns, seed=seed, tail=asked)


def same(one, other, atol=1e-3):
    """Assert that two tables of predictions agree: labels wholly, numbers nearly."""
    assert one.keys() == other.keys()
    for name, values in one.items():
        for a, b in zip(values, other[name], strict=True):
            first = a[0] if isinstance(a, list) and a else a
            if isinstance(first, float) and b is not None:
                np.testing.assert_allclose(a, b, atol=atol, err_msg=name)
            else:
                assert a == b, name
