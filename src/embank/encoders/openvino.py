"""The OpenVINO backend: the torch model with its readouts, converted once, kept by digest, run without torch's BLAS."""

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch

from embank.arrays import Vectors
from embank.atomic import put_in_place
from embank.encoders import Batch, Readout, Tokens
from embank.encoders.batching import finite, is_bare, single_rows, stacked
from embank.encoders.torch import TransformerEncoder, quietly
from embank.recipe import Reading
from embank.texts import Text

_PRECISION = {"float32": "f32", "bfloat16": "bf16"}
_BUDGET = 2048
_GRAPH_VERSION = 1


class GraphEncoder:
    """A torch encoder whose passes run in OpenVINO; tokenisation and reading stay the torch encoder's own."""

    def __init__(self, torch_encoder: TransformerEncoder, cache: Path, dtype: str) -> None:
        """Run an encoder that was loaded in float32 on the CPU.

        Args:
            torch_encoder: what is converted.
            cache: folder that keeps converted graphs.
            dtype: "float32" or "bfloat16", the precision in which the CPU computes.
        """
        self._torch = torch_encoder
        self._cache = cache
        self._dtype = dtype
        self._core = ov.Core()
        self._requests: dict[tuple[Readout, ...], Any] = {}
        self.facts = replace(torch_encoder.facts, compute=f"openvino {dtype}, cpu")
        self.padding = torch_encoder.padding
        self.budget = _BUDGET

    @property
    def reading(self) -> Reading:
        """All that decides its states."""
        return self._torch.reading

    def width_of(self, readout: Readout) -> int:
        """Dimensions of the vectors of a readout; raises UsageError as the torch encoder does."""
        return self._torch.width_of(readout)

    def tokens(self, texts: Sequence[Text]) -> Tokens:
        """Turn texts into token rows."""
        return self._torch.tokens(texts)

    def vectors(self, batch: Batch, readouts: Sequence[Readout]) -> list[Vectors]:
        """One pass over a batch; see the contract."""
        if self._torch.apart and not is_bare(batch):
            return stacked(self.vectors(row, readouts) for row in single_rows(batch))
        request = self._request(tuple(readouts))
        given = [batch.ids, batch.mask, batch.pool]
        if self._torch.takes_types:
            given.append(np.zeros_like(batch.ids) if batch.types is None else batch.types)
        request.infer(given, share_inputs=True)
        # copied: the request writes its next outputs into the same memory
        found = [np.array(request.get_output_tensor(at).data[: batch.rows]) for at in range(len(readouts))]
        sound = np.all([finite(part, batch) for part in found], axis=0)
        if not sound.all() and not is_bare(batch):
            # A padded place that sees no token at all, as under sliding windows, is not a number here: run without it.
            for row, single in enumerate(single_rows(batch)):
                if not sound[row]:
                    for part, vectors in zip(found, self.vectors(single, readouts), strict=True):
                        part[row][tuple(map(slice, vectors[0].shape))] = vectors[0]  # states: without the padding
        return found

    def _request(self, readouts: tuple[Readout, ...]) -> Any:
        if readouts not in self._requests:
            path = self._graph(readouts)
            settings = {"INFERENCE_PRECISION_HINT": _PRECISION[self._dtype], "PERFORMANCE_HINT": "LATENCY"}
            self._requests[readouts] = self._core.compile_model(path, "CPU", settings).create_infer_request()
        return self._requests[readouts]

    def _graph(self, readouts: tuple[Readout, ...]) -> Path:
        reading = self.reading
        asked = [[readout.layer, readout.pooling, *readout.steps] for readout in readouts]
        key = json.dumps([_GRAPH_VERSION, reading.weights, reading.prefix, ov.__version__, torch.__version__, asked])
        path = self._cache / f"{blake2b(key.encode(), digest_size=16).hexdigest()}.xml"
        if not path.is_file():
            self._convert(readouts, path)
        return path

    def _convert(self, readouts: tuple[Readout, ...], path: Path) -> None:
        # Three rows of eight tokens, one of them padded: no dimension is 1, which a tracer would take for a constant.
        ids = np.full((3, 8), self.padding, np.int64)
        mask = np.ones((3, 8), np.int64)
        mask[0, 5:] = 0
        example = self._torch.inputs(Batch(ids=ids, mask=mask, pool=mask, types=np.zeros_like(ids), rows=3))
        with torch.no_grad(), quietly(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracer and converter warn about torch's and transformers' internals
            graph = ov.convert_model(self._torch.pooled(readouts), example_input=example)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.stem}.{os.getpid()}.part.xml")  # two processes may convert the same at once
        ov.save_model(graph, part, compress_to_fp16=False)
        # the weights first, so that a graph file never lacks them
        put_in_place(part.with_suffix(".bin"), path.with_suffix(".bin"))
        put_in_place(part, path)
