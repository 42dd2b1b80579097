"""The anatomy of encoder families: where each keeps its layers and final norm. One row a family; nobody else knows.

State k is the input of layer k; the last state is the encoder's output, after the final norm where there is one.
A family that is not listed still gives pooled vectors of every layer, through the hidden states its own code returns.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Anatomy:
    """Where a family keeps what Embank reads.

    Attributes:
        layers: dotted path to the sequence of layer modules.
        model: the transformers class that loads the encoder part alone.
        shared: one module is called once for each layer (ALBERT), so calls are counted and not modules.
        causal: a decoder, run without its cache.
        positions: where positions are learned, how many entries of the position table no token uses; else None. A
            longer input than the table has no place in it, so it is refused beforehand.
    """

    layers: str
    model: str = "AutoModel"
    shared: bool = False
    causal: bool = False
    positions: int | None = None


_BERT = Anatomy("encoder.layer", positions=0)
_ROBERTA = Anatomy("encoder.layer", positions=2)  # positions start after the padding token's
_RELATIVE = Anatomy("encoder.layer")
_T5 = Anatomy("encoder.block", model="T5EncoderModel")
_FLAT = Anatomy("layers")
_DECODER = Anatomy("layers", causal=True)

ANATOMY = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": _BERT,
    "mpnet": _ROBERTA,
    "deberta": _RELATIVE,
    "deberta-v2": _RELATIVE,
    "distilbert": Anatomy("transformer.layer", positions=0),
    "albert": Anatomy("encoder.albert_layer_groups", shared=True, positions=0),
    "t5": _T5,
    "mt5": Anatomy("encoder.block", model="MT5EncoderModel"),
    "umt5": Anatomy("encoder.block", model="UMT5EncoderModel"),
    "modernbert": _FLAT,
    "nomic_bert": _FLAT,
    "gte": _FLAT,
    "jina_embeddings_v3": _FLAT,
    "llama": _DECODER,
    "mistral": _DECODER,
    "qwen2": _DECODER,
    "qwen3": _DECODER,
    "gemma3_text": _DECODER,
    "eurobert": _DECODER,
}
