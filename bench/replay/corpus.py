"""What the walk encodes: texts that a small encoder can tell apart, labels of every kind, and a tiny random encoder."""

from collections.abc import Sequence
from pathlib import Path

LAYERS, WIDTH = 4, 32
CITIES = ["bonn", "paris", "rome", "oslo"]
GOOD, BAD = ["fine", "great", "warm"], ["broken", "cold", "lost"]
_OTHER = ["the", "pump", "parcel", "order", "is", "was", "in", "and", "where", "what", "very", "?", "."]
_SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789"
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def texts_of(count: int, start: int = 0) -> list[str]:
    """Texts of different lengths; mood and city show in one word each."""
    return [_text(number) for number in range(start, start + count)]


def _text(number: int) -> str:
    word = [*GOOD, *BAD][number % 6]
    city = CITIES[number // 6 % 4]
    filler = " and very" * (number % 4)
    return f"the {['pump', 'parcel', 'order'][number % 3]} {number}{filler} is {word} in {city}"


def moods(texts: Sequence[str]) -> list[str]:
    """One of two classes per text."""
    return ["good" if any(word in text.split() for word in GOOD) else "bad" for text in texts]


def topics(texts: Sequence[str]) -> list[list[str]]:
    """Several labels per text, or none."""
    sets = (("good", GOOD), ("city", ("bonn", "rome")))
    return [[name for name, words in sets if set(words) & set(text.split())] for text in texts]


def sizes(texts: Sequence[str]) -> list[float]:
    """A number per text."""
    return [10.0 * sum(word in text.split() for word in GOOD) + len(text) / 20 for text in texts]


def tags(texts: Sequence[str]) -> list[list[str]]:
    """A tag per word."""
    return [["B-city" if word in CITIES else "O" for word in text.split()] for text in texts]


def questions(texts: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of question and context, and the answers that stand in the contexts."""
    asked = ["where is the pump ?", "what was lost ?"]
    pairs = [(asked[at % 2], text) for at, text in enumerate(texts)]
    return pairs, [next(word for word in text.split() if word in CITIES) for text in texts]


def neighbours(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Each text beside the next, and whether both are of one mood."""
    others = texts[1:] + texts[:1]
    labels = ["same" if a == b else "other" for a, b in zip(moods(texts), moods(others), strict=True)]
    return others, labels


def save_tiny(folder: Path) -> Path:
    """Write the folder of a tiny BERT with random weights, the same at every call."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = [*_SPECIAL, *CITIES, *GOOD, *BAD, *_OTHER, *_SIGNS, *(f"##{sign}" for sign in _SIGNS)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=_SPECIAL[1], max_input_chars_per_word=40))
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
    torch.manual_seed(7)
    model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model("bert", **shape))
    model.get_input_embeddings().weight.data *= 4  # states tell words apart, so there is something to learn
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_SPECIAL[0],
        unk_token=_SPECIAL[1],
        cls_token=_SPECIAL[2],
        sep_token=_SPECIAL[3],
        model_max_length=40,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    return folder
