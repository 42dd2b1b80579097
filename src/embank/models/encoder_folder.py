"""Writing an encoder that was trained here as a folder that transformers and sentence-transformers load."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from embank.atomic import whole_folder
from embank.encoders.folder import EncoderFolder
from embank.errors import UsageError

REPORT = "embank_trunk.json"
"""The report of the training, beside the weights."""

CARD = "README.md"
"""The model card."""

_WEIGHTS = (".safetensors", ".bin", ".h5", ".msgpack", ".onnx", ".ot", ".pt", ".pth", ".gguf")
_LEFT_OUT = {CARD, REPORT, ".gitattributes", "model.safetensors.index.json", "pytorch_model.bin.index.json"}
_POOLINGS = {"mean": "mean_tokens", "first": "cls_token", "max": "max_tokens", "last": "lasttoken"}


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that takes the place of `out` when all is written and synced, and not before.

    Raises:
        UsageError: the folder exists.
    """
    refuse_existing(out)
    with whole_folder(out) as begun:
        yield begun


def refuse_existing(out: Path) -> None:
    """Never write over a folder.

    Raises:
        UsageError: the path exists.
    """
    if out.exists():
        raise UsageError(f"{out} exists already: name a new folder, or move that one away")


def copy_small(source: Path, target: Path) -> None:
    """Everything small: configuration, tokenizer, pooling; weights are written anew, other formats of them left out."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        top = Path(folder) == source
        weights = {name for name in names if name.endswith(_WEIGHTS) and (top or "Dense" not in folder)}
        hidden = {name for name in names if name.startswith(".") or name in ("onnx", "openvino")}
        return weights | hidden | ({name for name in names if name in _LEFT_OUT} if top else set())

    shutil.copytree(source, target, ignore=left_out)


def prescribe(folder: Path, read: EncoderFolder, pooling: str, after: Sequence[tuple[str, str]] = ()) -> None:
    """Make a sentence-transformers folder of a transformers folder: it pools as Embank does.

    Args:
        folder: where the transformer was written.
        read: what the folder said that it was copied from.
        pooling: "mean", "first", "max" or "last".
        after: folder and type of modules that follow pooling, such as ("2_Dense", "models.Dense").
    """
    inside = str(read.transformer.relative_to(read.path))
    types = [("" if inside == "." else inside, "models.Transformer"), ("1_Pooling", "models.Pooling"), *after]
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.{kind}"}
        for at, (path, kind) in enumerate(types)
    ]
    modes = {f"pooling_mode_{name}": mode == pooling for mode, name in _POOLINGS.items()}
    if read.own is not None and not read.own.prompt_counts:
        modes["include_prompt"] = False
    (folder / "1_Pooling").mkdir()
    limits = {"max_seq_length": read.max_tokens, "do_lower_case": read.lower}
    written = {
        "modules.json": modules,
        str(Path(inside) / "sentence_bert_config.json"): limits,
        "1_Pooling/config.json": {"word_embedding_dimension": read.width, **modes},
    }
    for name, content in written.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def named(origin: str) -> str:
    """An encoder's name without local folders."""
    return Path(origin).name if origin.startswith(("/", "~", ".")) else origin
