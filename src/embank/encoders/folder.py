"""Reading an encoder's folder without loading it: digests, limits, and what it prescribes for pooling.

Both layouts are read: a plain transformers folder, and a sentence-transformers folder with its modules.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embank.encoders.architectures import ANATOMY, Anatomy
from embank.errors import EncoderError

_TOKENIZER_FILES = (
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "added_tokens.json",
)
_VOLATILE = {
    "_name_or_path",
    "name_or_path",
    "transformers_version",
    "torch_dtype",
    "dtype",
    "architectures",
    "use_cache",
}
_VOLATILE_TOKENIZER = _VOLATILE | {
    *("tokenizer_file", "special_tokens_map_file", "model_max_length", "processor_class"),
    *("is_local", "local_files_only"),
}
_LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")
_WIDTH = ("hidden_size", "d_model", "dim", "n_embd")
_UNBOUNDED = 100_000  # tokenizers without a limit write 10**30
_NO_LIMIT = 512


@dataclass(frozen=True)
class Dense:
    """A projection that follows pooling in a sentence-transformers folder."""

    weights: Path
    activation: str


@dataclass(frozen=True)
class OwnPooling:
    """What a sentence-transformers folder prescribes after the last layer.

    Attributes:
        modes: "mean", "max", "first" or "last"; several are concatenated.
        dense: projections, in order.
        unit: whether the result is scaled to length one.
        prompt_counts: whether pooling looks at the prompt's tokens.
    """

    modes: tuple[str, ...]
    dense: tuple[Dense, ...] = ()
    unit: bool = False
    prompt_counts: bool = True


@dataclass(kw_only=True, frozen=True)
class EncoderFolder:
    """What a folder says about its encoder.

    Attributes:
        path: the folder given.
        transformer: the folder of the transformer itself.
        config: its configuration.
        max_tokens: the longest input, as the folder wants it.
        most_tokens: the longest input that its positions allow, or None without a limit.
        truncation: the side on which a longer text is cut.
        lower: whether texts are lower-cased first.
        own: its pooling, or None if it prescribes no pooling.
        default_prompt: the prompt that it puts before every text, or "".
        unsupported: modules that Embank cannot run; only the `own` pooling needs them.
    """

    path: Path
    transformer: Path
    config: dict[str, Any]
    max_tokens: int
    most_tokens: int | None = None
    truncation: str = "right"
    lower: bool = False
    own: OwnPooling | None = None
    default_prompt: str = ""
    unsupported: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The `model_type` of the configuration."""
        return str(self.config.get("model_type", "unknown"))

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return self._number(_LAYERS)

    @property
    def width(self) -> int:
        """Dimensions of a state."""
        return self._number(_WIDTH)

    def _number(self, names: tuple[str, ...]) -> int:
        """The first known one of these configuration entries."""
        for name in names:
            if self.config.get(name) is not None:
                return int(self.config[name])
        message = f"{self.transformer}/config.json names none of {', '.join(names)}: is {self.family!r} a text encoder?"
        raise EncoderError(message)


def read_folder(path: Path) -> EncoderFolder:
    """Read what a folder says about its encoder.

    Raises:
        EncoderError: no configuration, or weights that would have to be unpickled.
    """
    modules = _json(path / "modules.json") if (path / "modules.json").is_file() else []
    transformer = path / next((module["path"] for module in modules if _type(module) == "Transformer"), "")
    if not (transformer / "config.json").is_file():
        raise EncoderError(
            f"{path} is no encoder: it has no config.json (a transformers or sentence-transformers folder)"
        )
    if not list(transformer.glob("*.safetensors")):
        found = ", ".join(file.name for file in transformer.glob("*.bin")) or "no weights"
        message = (
            f"{transformer} has {found}; Embank reads safetensors only, since a pickle can run code. "
            "Convert it once: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)"
        )
        raise EncoderError(message)
    config = _json(transformer / "config.json")
    sentence = _json(transformer / "sentence_bert_config.json", {})
    prompts = _json(path / "config_sentence_transformers.json", {})
    tokenizer = _json(transformer / "tokenizer_config.json", {})
    named = prompts.get("prompts") or {}
    own, unsupported = _own_pooling(path, modules)
    return EncoderFolder(
        path=path,
        transformer=transformer,
        config=config,
        max_tokens=_max_tokens(config, sentence, tokenizer),
        most_tokens=_positions(config),
        truncation=str(tokenizer.get("truncation_side") or "right"),
        lower=bool(sentence.get("do_lower_case")),
        own=own,
        default_prompt=named.get(prompts.get("default_prompt_name") or "", ""),
        unsupported=unsupported,
    )


def weights_digest(folder: EncoderFolder) -> str:
    """SHA-256 over the weights and the configuration that shapes them; where they came from does not matter.

    Projections after pooling are weights as well, and a prompt that pooling leaves out moves every vector; a folder
    that has neither gets the digest of its transformer.
    """
    digest = hashlib.sha256(_canonical(folder.config, _VOLATILE))
    for file in sorted(folder.transformer.glob("*.safetensors")):
        digest.update(bytes.fromhex(sha256_of(file)))
    own = folder.own
    if own is None or folder.unsupported:
        return digest.hexdigest()
    if own.dense:
        digest.update(json.dumps([own.modes, own.unit]).encode())
    for step in own.dense:
        digest.update(step.activation.encode() + bytes.fromhex(sha256_of(step.weights)))
    if not own.prompt_counts:
        digest.update(b"prompt left out")
    return digest.hexdigest()


def tokenizer_digest(folder: EncoderFolder) -> str:
    """SHA-256 over what turns a text into token numbers."""
    settings = _canonical(_json(folder.transformer / "tokenizer_config.json", {}), _VOLATILE_TOKENIZER)
    digest = hashlib.sha256(settings + (b"lower" if folder.lower else b""))
    whole = folder.transformer / "tokenizer.json"
    files = [whole] if whole.is_file() else [folder.transformer / name for name in _TOKENIZER_FILES]
    present = [file for file in files if file.is_file()]
    if not present:
        raise EncoderError(f"{folder.transformer} has no tokenizer: neither tokenizer.json nor a vocabulary file")
    for file in present:
        digest.update(file.name.encode() + bytes.fromhex(sha256_of(file)))
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _own_pooling(path: Path, modules: list[dict[str, Any]]) -> tuple[OwnPooling | None, tuple[str, ...]]:
    modes: tuple[str, ...] = ()
    dense: list[Dense] = []
    unit, prompt_counts = False, True
    unsupported: list[str] = []
    for module in modules:
        kind, place = _type(module), path / module["path"]
        if kind == "Pooling":
            settings = _json(place / "config.json")
            modes, strange = _modes(settings)
            unsupported += strange
            prompt_counts = bool(settings.get("include_prompt", True))
        elif kind == "Dense":
            step, strange = _dense(place)
            dense.append(step)
            unsupported += [*(["Normalize before Dense"] if unit else []), *strange]
        elif kind == "Normalize":
            unit = True
        elif kind not in ("Transformer", "Dropout"):
            unsupported.append(kind)
    if not modes and not unsupported:
        return None, ()
    return OwnPooling(modes, tuple(dense), unit, prompt_counts), tuple(unsupported)


def _dense(place: Path) -> tuple[Dense, list[str]]:
    """A projection, and what of it Embank cannot run."""
    settings = _json(place / "config.json")
    step = Dense(place / "model.safetensors", str(settings.get("activation_function", "Tanh")).rpartition(".")[2])
    strange = [] if step.activation in ("Identity", "Tanh") else [f"Dense with {step.activation}"]
    if settings.get("use_residual"):
        strange.append("Dense with a residual")
    places = [settings.get("module_input_name"), settings.get("module_output_name")]
    strange += [f"Dense on {place}" for place in places if place not in (None, "sentence_embedding")]
    if not step.weights.is_file():
        strange.append("Dense without safetensors weights")
    return step, strange


def _modes(settings: dict[str, Any]) -> tuple[tuple[str, ...], list[str]]:
    """The pooling modes of a Pooling module, in the order in which sentence-transformers concatenates them."""
    known = {"cls": "first", "cls_token": "first", "max": "max", "max_tokens": "max", "mean": "mean"}
    known |= {"mean_tokens": "mean", "lasttoken": "last"}
    named = settings.get("pooling_mode")
    if named:
        modes = [named] if isinstance(named, str) else list(named)
    else:
        order = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
        modes = [mode for mode in order if settings.get(f"pooling_mode_{mode}")] or ["mean"]
    strange = [f"Pooling with {mode}" for mode in modes if mode not in known]
    return tuple(known[mode] for mode in modes if mode in known), strange


def _max_tokens(config: dict[str, Any], sentence: dict[str, Any], tokenizer: dict[str, Any]) -> int:
    named = tokenizer.get("model_max_length")
    stated = sentence.get("max_seq_length") or (named if named and named < _UNBOUNDED else None)
    positions = _positions(config)
    if not sentence.get("max_seq_length"):
        positions = positions or config.get("max_position_embeddings") or config.get("n_positions")
    return min((int(limit) for limit in (stated, positions) if limit), default=_NO_LIMIT)


def _positions(config: dict[str, Any]) -> int | None:
    """How long an input its learned positions allow; None if they are not learned, or the family is unknown."""
    unused = ANATOMY.get(str(config.get("model_type")), Anatomy(layers="")).positions
    entries = config.get("max_position_embeddings")
    return int(entries) - unused if entries and unused is not None else None


def _type(module: dict[str, Any]) -> str:
    return str(module["type"]).rpartition(".")[2]


def _canonical(settings: dict[str, Any], without: set[str]) -> bytes:
    kept = {name: value for name, value in settings.items() if name not in without}
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()


def _json(path: Path, default: dict[str, Any] | None = None) -> Any:
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise EncoderError(f"{path} cannot be read: {fault}") from fault
