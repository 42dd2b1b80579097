"""A bank as a SentenceTransformer, for evaluators such as MTEB's: every text is encoded once."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float32

from embank.arrays import Vectors
from embank.bank import Bank
from embank.errors import UsageError
from embank.linalg.cosine import cosines, unit
from embank.texts import Text


class SentenceEncoder:
    """Encodes texts as columns of a bank hold them: at their precision, and from the bank where they are there.

    >>> encoder = SentenceEncoder(Bank.open("messages"), "minilm/6/mean@int8")  # doctest: +SKIP
    >>> encoder.encode(["no heat since Friday", "all fine"]).shape  # doctest: +SKIP
    (2, 384)
    """

    def __init__(self, bank: Bank, columns: str | Sequence[str]) -> None:
        """Read `columns` of an open bank, side by side; a new column begins with the first texts."""
        self.bank = bank
        self.columns = [columns] if isinstance(columns, str) else list(columns)
        if not self.columns:
            raise UsageError("found no column to encode with; name one at least, such as minilm/6/mean@int8")

    def encode(
        self,
        sentences: str | Iterable[Text | Mapping[str, str | Sequence[str]]],
        *,
        normalize_embeddings: bool = False,
        convert_to_tensor: bool = False,
        **_others: str | int | bool | Mapping[str, str] | None,
    ) -> np.ndarray:
        """Vectors of texts, float32 `[texts, width]`; of one string, `[width]`.

        Args:
            sentences: texts; or batches of them as MTEB has them, mappings with a list under "text".
            normalize_embeddings: scale each to length one.
            convert_to_tensor: refused: these are arrays, and torch is not needed to read them.
            _others: batch sizes, prompts and the like, which the column's recipe has settled.

        Raises:
            UsageError: a text that cannot be encoded, or `convert_to_tensor`.
        """
        if convert_to_tensor:
            raise UsageError("vectors come as numpy arrays; leave convert_to_tensor out, or use torch.from_numpy")
        single = isinstance(sentences, str)
        texts = [sentences] if single else _texts(sentences)
        vectors = self.bank.vectors(self.columns, texts) if texts else np.empty((0, 0), np.float32)
        scaled = unit(vectors) if normalize_embeddings else vectors
        return np.asarray(scaled[0] if single else scaled)

    def similarity(self, left: Vectors, right: Vectors) -> Float32[np.ndarray, "left right"]:
        """Cosines of all pairs."""
        found: Float32[np.ndarray, "left right"] = unit(left) @ unit(right).T
        return found

    def similarity_pairwise(self, left: Vectors, right: Vectors) -> Float32[np.ndarray, " pairs"]:
        """Cosines of the rows that stand beside each other."""
        return cosines(left, right).astype(np.float32)


def _texts(given: Iterable[Text | Mapping[str, str | Sequence[str]]]) -> list[Text]:
    """Texts out of a list, or out of batches."""
    found: list[Text] = []
    for one in given:
        if isinstance(one, Mapping):
            inside = one["text"]
            found += [inside] if isinstance(inside, str) else list(inside)
        else:
            found.append(tuple(one) if isinstance(one, list) else one)
    return found
