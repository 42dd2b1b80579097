"""The torch backend: any transformers encoder or sentence-transformers folder, on CPU or GPU."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from embank.arrays import Vectors
from embank.encoders import Batch, EncoderFacts, Readout, Tokens
from embank.encoders.anatomy import ANATOMY, Anatomy
from embank.encoders.folder import EncoderFolder
from embank.encoders.pooled import Pooled
from embank.encoders.tokenizing import Tokenizing
from embank.errors import EncoderError, UsageError
from embank.recipe import Reading
from embank.texts import Text

_CPU_BUDGET = 2048
_GPU_BUDGET = 65536


class TransformerEncoder:
    """A transformers model that reads texts as one reading says."""

    def __init__(self, folder: EncoderFolder, reading: Reading, name: str, origin: str, dtype: str) -> None:
        """Load an encoder in "float32", "float16" or "bfloat16", on the GPU where there is one.

        Raises:
            EncoderError: the folder cannot be loaded.
        """
        self.folder = folder
        self.reading = reading
        self.tokenizing = Tokenizing(folder, reading)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = _load(folder, dtype).to(self.device).eval()
        self.n_layers = int(folder.text_config("num_hidden_layers", "num_layers", "n_layers"))
        self.width = int(folder.text_config("hidden_size", "d_model", "dim"))
        self._pooled: dict[tuple[Readout, ...], Pooled] = {}
        kinds = int(folder.config.get("type_vocab_size") or 0)
        self.takes_types = kinds > 1 and folder.family in ("bert", "electra", "albert", "deberta", "deberta-v2")
        self.facts = EncoderFacts(
            name, origin, folder.family, self.width, self.n_layers, f"torch {dtype}, {self.device}"
        )
        self.padding = self.tokenizing.padding
        self.budget = _CPU_BUDGET if self.device == "cpu" else _GPU_BUDGET

    def width_of(self, readout: Readout) -> int:
        """Dimensions of the vectors of a readout.

        Raises:
            UsageError: there is no such layer, or no pooling of the folder's own.
        """
        if not 0 <= readout.layer <= self.n_layers:
            raise UsageError(f"{self.facts.name} has layers 0 to {self.n_layers}; there is no layer {readout.layer}")
        own = self.folder.own
        if readout.pooling != "own":
            return self.width
        if own is None or not own.modes or self.folder.unsupported:
            why = f"it uses {', '.join(self.folder.unsupported)}" if self.folder.unsupported else "it prescribes none"
            raise UsageError(
                f"{self.facts.name} has no pooling of its own that can be run ({why}): name one, as in mean"
            )
        if readout.layer != self.n_layers:
            raise UsageError(f"the pooling of {self.facts.name} itself belongs to layer {self.n_layers}")
        module = self.pooled((readout,))
        sample = Batch(*(np.ones((1, 1), np.int64),) * 3, None, 1)
        return int(module(**self.inputs(sample))[0].shape[1])

    def tokens(self, texts: Sequence[Text]) -> Tokens:
        """Turn texts into token rows."""
        return self.tokenizing(texts)

    def pooled(self, readouts: Sequence[Readout]) -> Pooled:
        """The model with these readouts as its outputs."""
        key = tuple(readouts)
        if key not in self._pooled:
            self._pooled[key] = Pooled(self.model, key, self.n_layers, self.folder.own).to(self.device).eval()
        return self._pooled[key]

    def inputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        """A batch as tensors, named as `Pooled.forward` names them."""
        arrays = {"input_ids": batch.ids, "attention_mask": batch.mask, "pool_mask": batch.pool}
        if self.takes_types and batch.types is not None:
            arrays["token_type_ids"] = batch.types
        return {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}

    def vectors(self, batch: Batch, readouts: Sequence[Readout]) -> list[Vectors]:
        """One pass over a batch; see the contract."""
        with torch.inference_mode():
            outputs = self.pooled(readouts)(**self.inputs(batch))
        return [output[: batch.rows].cpu().numpy() for output in outputs]


def _load(folder: EncoderFolder, dtype: str) -> Any:
    anatomy = ANATOMY.get(folder.family, Anatomy(""))
    loader = getattr(transformers, anatomy.model)
    settings: dict[str, Any] = {} if anatomy.model != "AutoModel" else {"trust_remote_code": False}
    if "add_pooling_layer" in _arguments(folder):
        settings["add_pooling_layer"] = False
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # "pooler weights unused" is no news to a user of states
    progress = transformers.logging.is_progress_bar_enabled()
    transformers.logging.disable_progress_bar()
    try:
        return loader.from_pretrained(
            folder.transformer, local_files_only=True, use_safetensors=True, dtype=getattr(torch, dtype), **settings
        )
    except Exception as fault:
        first = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
        raise EncoderError(f"{folder.path} cannot be loaded as an encoder: {first}") from fault
    finally:
        transformers.logging.set_verbosity(verbosity)
        if progress:
            transformers.logging.enable_progress_bar()


def _arguments(folder: EncoderFolder) -> tuple[str, ...]:
    """Extra arguments that a family's model class takes."""
    pooler = ("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "albert")
    return ("add_pooling_layer",) if folder.family in pooler else ()
