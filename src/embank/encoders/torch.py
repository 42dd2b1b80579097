"""The torch backend: any transformers encoder or sentence-transformers folder, on CPU or GPU."""

import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
import transformers
from jaxtyping import Int64

from embank.arrays import Vectors
from embank.encoders import Batch, EncoderFacts, Readout, Tokens
from embank.encoders.architectures import ANATOMY, Anatomy
from embank.encoders.batching import is_bare, single_rows, stacked
from embank.encoders.folder import EncoderFolder
from embank.encoders.pooling import Pooled
from embank.encoders.prefix.attention import PrefixSet, bind_prefixes, loaded
from embank.encoders.prefix.folder import StoredPrefix
from embank.encoders.tokenizer import Tokenizing
from embank.errors import EncoderError, UsageError
from embank.recipe import STATES, Reading
from embank.texts import Text

_CPU_BUDGET = 2048
_GPU_BUDGET = 65536


class TransformerEncoder:
    """A transformers model that reads texts as one reading says."""

    def __init__(self, folder: EncoderFolder, reading: Reading, name: str, origin: str, dtype: str) -> None:
        """Load an encoder in "float32", "float16" or "bfloat16", on the GPU if one is available.

        Raises:
            EncoderError: the folder cannot be loaded.
        """
        self.folder = folder
        self.reading = reading
        self.tokenizing = Tokenizing(folder, reading)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = _load(folder, dtype).to(self.device).eval()
        self.n_layers, self.width = folder.layers, folder.width
        self._pooled: dict[tuple[Readout, ...], Pooled] = {}
        self.variant = ""
        self.variants: dict[str, PrefixSet] = {}
        kinds = int(getattr(self.model.config, "type_vocab_size", None) or 0)
        self.takes_types = kinds > 1 and "token_type_ids" in inspect.signature(self.model.forward).parameters
        self.facts = EncoderFacts(
            name=name,
            origin=origin,
            family=folder.family,
            width=self.width,
            layers=self.n_layers,
            compute=f"torch {dtype}, {self.device}",
        )
        self.padding = self.tokenizing.padding
        self.budget = _CPU_BUDGET if self.device == "cpu" else _GPU_BUDGET
        self.apart = False
        """Whether each row has to be run by itself; families in the table are known to leave padding out of account."""
        self.apart = folder.family not in ANATOMY and self._reads_padding()

    def width_of(self, readout: Readout) -> int:
        """Dimensions of the vectors of a readout.

        Raises:
            UsageError: there is no such layer, or no pooling of the folder's own.
        """
        if not 0 <= readout.layer <= self.n_layers:
            raise UsageError(f"{self.facts.name} has layers 0 to {self.n_layers}; there is no layer {readout.layer}")
        if readout.pooling == STATES and self.folder.family not in ANATOMY:
            raise UsageError(
                f"{self.facts.name} is of a family ({self.folder.family}) that cannot be cut at a layer: its pooled "
                "vectors work, its states and tails do not"
            )
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
        sample = _batch(np.ones((1, 1), np.int64), np.ones((1, 1), np.int64))
        with torch.inference_mode():
            return int(module(**self.inputs(sample))[0].shape[1])

    @property
    def pooling(self) -> str:
        """How its states become a vector by default: as its folder prescribes, or by its kind."""
        own = self.folder.own
        if own and len(own.modes) == 1:
            return own.modes[0]
        anatomy = ANATOMY.get(self.folder.family)
        return "last" if anatomy and anatomy.causal else "mean"

    def tokens(self, texts: Sequence[Text]) -> Tokens:
        """Turn texts into token rows."""
        return self.tokenizing(texts)

    def pooled(self, readouts: Sequence[Readout]) -> Pooled:
        """The model with these readouts as its outputs."""
        key = tuple(replace(readout, variant=readout.variant or self.variant) for readout in readouts)
        if key not in self._pooled:
            made = Pooled(self.model, key, self.n_layers, self.folder.own, self.variants)
            self._pooled[key] = made.to(self.device).eval()
        return self._pooled[key]

    def take(self, prefixes: Sequence[StoredPrefix]) -> None:
        """From now on, run with these prefixes in each pass.

        Raises:
            UsageError: a family that takes none.
            EncoderError: a prefix cannot be read.
        """
        bind_prefixes(self.model)
        self.variant = self.facts.name
        self.variants[self.variant] = loaded(prefixes, self.device)

    def sibling(self, name: str, origin: str, reading: Reading, prefixes: Sequence[StoredPrefix]) -> Self:
        """The same model under other prefixes, without loading it again: the two can be run in one pass."""
        other = copy.copy(self)
        other.reading, other.facts = reading, replace(self.facts, name=name, origin=origin)
        other.take(prefixes)
        return other

    def inputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        """A batch as tensors, named as `Pooled.forward` names them."""
        arrays = {"input_ids": batch.ids, "attention_mask": batch.mask, "pool_mask": batch.pool}
        if self.takes_types and batch.types is not None:
            arrays["token_type_ids"] = batch.types
        return {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}

    def vectors(self, batch: Batch, readouts: Sequence[Readout]) -> list[Vectors]:
        """One pass over a batch; see the contract."""
        if self.apart and not is_bare(batch):
            return stacked(self.vectors(row, readouts) for row in single_rows(batch))
        module = self.pooled(readouts)  # made outside: what is made in inference mode is of no use to anything else
        with torch.inference_mode():
            outputs = module(**self.inputs(batch))
        return [output[: batch.rows].cpu().numpy() for output in outputs]

    def _reads_padding(self) -> bool:
        """Whether what stands in masked places moves the states of others, as in models that convolve over tokens."""
        mask = np.ones((2, 8), np.int64)
        mask[:, 5:] = 0
        ids = np.ones_like(mask)
        ids[1, 5:] = min(3, self.model.config.vocab_size - 1)
        try:
            one, other = self.vectors(_batch(ids, mask), [Readout(self.n_layers, "last")])[0]
        except Exception as fault:
            raise EncoderError(f"{self.folder.path} does not run as an encoder: {_first_line(fault)}") from fault
        return not np.allclose(one, other, rtol=1e-5, atol=1e-6)


@contextmanager
def quietly() -> Iterator[None]:
    """Silence notices of transformers that mean nothing for states, as of a pooler without weights."""
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    progress = transformers.logging.is_progress_bar_enabled()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        if progress:
            transformers.logging.enable_progress_bar()


def _load(folder: EncoderFolder, dtype: str) -> Any:
    anatomy = ANATOMY.get(folder.family, Anatomy(layers=""))
    loader = getattr(transformers, anatomy.model)
    settings: dict[str, Any] = {} if anatomy.model != "AutoModel" else {"trust_remote_code": False}
    if "add_pooling_layer" in _arguments(folder):
        settings["add_pooling_layer"] = False
    try:
        with quietly():
            model, found = loader.from_pretrained(
                folder.transformer,
                local_files_only=True,
                use_safetensors=True,
                dtype=getattr(torch, dtype),
                output_loading_info=True,
                **settings,
            )
    except Exception as fault:
        raise EncoderError(f"{folder.path} cannot be loaded as an encoder: {_first_line(fault)}") from fault
    # What is missing would be random numbers. A pooler has no part in states; nor have a decoder's or a head's weights.
    missing = sorted(name for name in found["missing_keys"] if "pooler" not in name)
    if missing:
        message = f"{folder.path} lacks weights of its encoder: {', '.join(missing[:3])}; {len(missing)} in all"
        raise EncoderError(message)
    return model


def _batch(ids: Int64[np.ndarray, "batch length"], mask: Int64[np.ndarray, "batch length"]) -> Batch:
    """Rows of which every token is pooled."""
    return Batch(ids=ids, mask=mask, pool=mask, types=None, rows=len(ids))


def _first_line(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    return lines[0] if lines else type(fault).__name__


def _arguments(folder: EncoderFolder) -> tuple[str, ...]:
    """Extra arguments that a family's model class takes."""
    pooler = ("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "albert")
    return ("add_pooling_layer",) if folder.family in pooler else ()
