"""Columns of a bank as a scikit-learn transformer: texts in, vectors out, every text encoded once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from embank.arrays import Vectors
from embank.bank import Bank
from embank.errors import UsageError
from embank.texts import Text

Texts = Sequence[Text] | np.ndarray
"""Texts as scikit-learn has them; a pandas column, or a table of one column, works as well."""


class Columns(TransformerMixin, BaseEstimator):
    """Reads columns of a bank; it learns nothing, so `clone` and `cross_val_score` encode nothing twice.

    Args:
        bank: an open bank, or its folder.
        columns: names such as "minilm/4/mean@int8"; empty reads every column that the bank has.

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.linear_model import LogisticRegression
    >>> model = make_pipeline(Columns("messages", ["minilm/4/mean"]), LogisticRegression())
    """

    def __init__(self, bank: Bank | str | Path, columns: Sequence[str] = ()) -> None:
        self.bank = bank
        self.columns = columns

    def fit(self, X: Texts, y: ArrayLike | None = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Learn nothing; the texts are encoded, so that what follows only reads."""
        self.n_features_out_ = int(self.transform(X).shape[1])
        return self

    def transform(self, X: Texts) -> Vectors:
        """Vectors of texts, `[texts, sum of widths]`; texts that the bank lacks are encoded first.

        Raises:
            UsageError: the bank has no columns and none were named, or a text cannot be encoded.
        """
        if isinstance(self.bank, Bank):
            return self._read(self.bank, X)
        with Bank.open_or_create(self.bank) as bank:
            return self._read(bank, X)

    def _read(self, bank: Bank, X: Texts) -> Vectors:
        names = list(self.columns) or [column.name for column in bank.summary().columns]
        if not names:
            raise UsageError(f"{bank.path} has no columns yet: name some, as in Columns(bank, ['minilm/4/mean'])")
        return bank.vectors(names, _listed(X))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:  # noqa: ARG002 - scikit-learn's signature
        """Names of the dimensions."""
        return np.array([f"column{at}" for at in range(self.n_features_out_)], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> "Columns":
        # An open bank is shared, not copied: it is a folder, and its encoder should be loaded once.
        return Columns(self.bank, self.columns)


def _listed(X: Texts) -> list[Text]:
    """Texts as a list: from a list, an array or a pandas column, or the only column of a table."""
    rows = X.tolist() if hasattr(X, "tolist") else X.to_list() if hasattr(X, "to_list") else list(X)
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]
