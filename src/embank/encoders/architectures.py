"""The only module that knows where each architecture keeps its layers and final norm: one row per family.

State k is the input of layer k; the last state is the encoder's output, after the final norm if it has one.
A family that is not listed still gives pooled vectors of every layer, through the hidden states its own code returns.
"""

from dataclasses import dataclass, replace


@dataclass(kw_only=True, frozen=True)
class Anatomy:
    """Where a family keeps what Embank reads.

    Attributes:
        layers: dotted path to the sequence of layer modules.
        model: the transformers class that loads the encoder part alone.
        shared: one module is called once for each layer (ALBERT), so calls are counted and not modules.
        causal: a decoder, run without its cache.
        positions: where positions are learned, how many entries of the position table no token uses; else None. A
            longer input than the table has no place in it, so it is refused beforehand.
        norm: dotted path to the final norm, or "".
        returns: how many values a layer returns as a tuple, its states first; 0 if it returns its states alone.
        relative_bias: dotted path, inside a layer, to the attention whose position bias the first layer owns and hands
            on to all others (T5); "" where no layer depends on another in this way.
        autocast: its own code runs under autocast; otherwise it runs in the precision of its weights there.
        attention_out: dotted path, inside a layer, to the linear that ends attention; "" where layers are shared.
        feed_forward_out: the same for the linear that ends the feed-forward block.
        prefixes: its attention takes trained keys and values before its own; where not, prefixes are refused.
    """

    layers: str
    model: str = "AutoModel"
    shared: bool = False
    causal: bool = False
    positions: int | None = None
    norm: str = ""
    returns: int = 0
    relative_bias: str = ""
    autocast: bool = True
    attention_out: str = ""
    feed_forward_out: str = ""
    prefixes: bool = False


_BERT = Anatomy(
    layers="encoder.layer",
    positions=0,
    attention_out="attention.output.dense",
    feed_forward_out="output.dense",
    prefixes=True,
)
_ROBERTA = replace(_BERT, positions=2)  # positions start after the padding token's
_MPNET = replace(_ROBERTA, returns=1, attention_out="attention.attn.o", prefixes=False)
_DEBERTA = replace(_BERT, positions=None, returns=2, prefixes=False)
_DISTILBERT = Anatomy(
    layers="transformer.layer",
    positions=0,
    attention_out="attention.out_lin",
    feed_forward_out="ffn.lin2",
    prefixes=True,
)
_T5 = Anatomy(
    layers="encoder.block",
    model="T5EncoderModel",
    norm="encoder.final_layer_norm",
    returns=3,
    relative_bias="layer.0.SelfAttention",
    attention_out="layer.0.SelfAttention.o",
    feed_forward_out="layer.1.DenseReluDense.wo",
)
_MODERNBERT = Anatomy(
    layers="layers", norm="final_norm", attention_out="attn.Wo", feed_forward_out="mlp.Wo", prefixes=True
)
_FLAT = Anatomy(
    layers="layers",
    attention_out="self_attn.o_proj",
    feed_forward_out="mlp.down_proj",
)
_DECODER = replace(_FLAT, causal=True, norm="norm")

ANATOMY = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": _BERT,
    "mpnet": _MPNET,
    "deberta": replace(_DEBERTA, autocast=False),  # it masks bfloat16 scores with the lowest number of float32
    "deberta-v2": _DEBERTA,
    "distilbert": _DISTILBERT,
    "albert": Anatomy(layers="encoder.albert_layer_groups", shared=True, positions=0),
    "t5": _T5,
    "mt5": replace(_T5, model="MT5EncoderModel"),
    "umt5": replace(_T5, model="UMT5EncoderModel", returns=0, relative_bias=""),  # each block owns its bias
    "modernbert": _MODERNBERT,
    "nomic_bert": replace(_FLAT, prefixes=True),
    "gte": replace(_FLAT, prefixes=True),
    "jina_embeddings_v3": replace(_FLAT, feed_forward_out="mlp.fc2", prefixes=True),
    "llama": _DECODER,
    "mistral": _DECODER,
    "qwen2": _DECODER,
    "qwen3": _DECODER,
    "gemma3_text": _DECODER,
    "eurobert": _DECODER,
}
