"""Names for the shapes of arrays, so that a signature says what goes in and what comes out.

They are checked in tests only (jaxtyping's import hook); at run time they cost nothing.
Texts are always on axis 0.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int8, Int64, Shaped

Vectors = Float32[np.ndarray, "texts width"]
"""One float32 vector a text."""

Rows = Shaped[np.ndarray, "texts cells"]
"""Stored rows: whatever dtype and number of cells the codec packs a vector into."""

Whole = Int8[np.ndarray, "texts width"]
"""What a codec of whole numbers stores of a vector, before steps and offsets."""

Matrix = Float32[np.ndarray, "width outputs"]
"""Weights that map vectors to outputs."""

Outputs = Float32[np.ndarray, "texts outputs"]
"""One row of outputs (logits or numbers) a text."""

Probabilities = Float[np.ndarray, "texts classes"]
"""One row of probabilities a text."""

PerDimension = Float32[np.ndarray, " width"]
"""One number for each dimension of a vector."""

TextIds = Int64[np.ndarray, " texts"]
"""The bank's own numbers of texts: ascending in the order in which texts were committed."""

Mask = Bool[np.ndarray, " texts"]
"""One truth value a text."""
