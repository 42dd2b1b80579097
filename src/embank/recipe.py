"""Recipes: everything that decides the bytes of one column, and nothing that does not.

A column is written `encoder/layer/pooling@codec`, for example `minilm/4/mean@int8`. Steps after pooling follow it with
a plus sign, and are taken in their order: `minilm/6/mean+unit@float16` is scaled to length one,
`minilm/6/mean+pca64@int8` is turned onto the 64 leading axes of a sample. `minilm/3/states@float16` is not pooled: it
is ragged, with one row per token. The encoder's name is a label that the bank gives to a `Reading`; it is not part of
the fingerprint, which is made from digests.
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b

from embank.codecs import codec_names
from embank.codecs.reduction import LEARNED, LIMITS, STEPS, limit_of
from embank.errors import UsageError

STATES = "states"
"""Instead of a pooling: states are not pooled, a text has a block of rows, one per token."""

POOLINGS = ("mean", "max", "first", "last", "own", STATES)
"""How states become one vector. `own` is what the encoder's folder itself prescribes, projections included."""

DEFAULT_CODEC = "float16"
"""The precision of columns that do not name one."""

GIVEN = "given:"
"""How the digest of weights begins where vectors were made elsewhere."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RECIPE_VERSION = 1


@dataclass(kw_only=True, frozen=True)
class Reading:
    """How an encoder reads texts: all that decides its states.

    Attributes:
        weights: digest of the weights and of the configuration that shapes them, never a branch name.
        tokenizer: digest of the tokenizer.
        prompt: put before every text.
        max_tokens: the longest input, special tokens included.
        truncation: the side on which a longer text is cut, "right" or "left".
        long: "cut", or "windows": overlapping windows whose vectors are averaged by tokens.
        prefix: digest of a trained prefix, or None.
        compute: None while numbers stay within the stated tolerance of float32; otherwise the name of what moved them.
    """

    weights: str
    tokenizer: str
    prompt: str = ""
    max_tokens: int = 512
    truncation: str = "right"
    long: str = "cut"
    prefix: str | None = None
    compute: str | None = None

    @property
    def given(self) -> bool:
        """Whether no encoder of the bank read them: the vectors were made elsewhere."""
        return self.weights.startswith(GIVEN)


@dataclass(frozen=True, order=True)
class ColumnName:
    """The written name of a column, taken apart.

    >>> str(ColumnName.parse("minilm/6/mean+unit@int8"))
    'minilm/6/mean+unit@int8'
    >>> ColumnName.parse("minilm/4/mean").codec
    'float16'
    >>> ColumnName.parse("minilm/3/states+first8").is_states
    True
    """

    encoder: str
    layer: int
    pooling: str
    steps: tuple[str, ...] = ()
    codec: str = DEFAULT_CODEC

    @property
    def is_states(self) -> bool:
        """Whether the column is ragged: states, not vectors."""
        return self.pooling == STATES

    @property
    def taken(self) -> tuple[str, ...]:
        """The steps that an encoder takes in its pass: limits of states, or a `unit` that comes first."""
        return self.steps if self.is_states else self.steps[: self.steps[:1] == ("unit",)]

    @property
    def later(self) -> tuple[str, ...]:
        """The steps that follow what is taken from the encoder, in order.

        >>> ColumnName.parse("minilm/6/mean+unit+pca64+unit").later
        ('pca64', 'unit')
        """
        return self.steps[len(self.taken) :]

    def __str__(self) -> str:
        return f"{self.encoder}/{self.layer}/{'+'.join((self.pooling, *self.steps))}@{self.codec}"

    @classmethod
    def parse(cls, spec: str, codec: str = DEFAULT_CODEC) -> "ColumnName":
        """Read a written name; `codec` stands in where the name has none.

        Raises:
            UsageError: the name does not follow the grammar; the message says which part.
        """
        path, _, precision = spec.strip().partition("@")
        parts = path.split("/")
        grammar = "a column is written encoder/layer/pooling@codec, for example minilm/4/mean@int8"
        if len(parts) != len(("encoder", "layer", "pooling")):
            raise UsageError(f"{spec!r} is not a column: {grammar}")
        encoder, layer, pooled = parts
        pooling, *steps = pooled.split("+")
        if not _NAME.fullmatch(encoder):
            raise UsageError(f"{encoder!r} in {spec!r} is no encoder name: letters, digits, dot, dash and underscore")
        if not layer.isdecimal():
            raise UsageError(f"{layer!r} in {spec!r} is no layer number: {grammar}")
        _known(pooling, POOLINGS, "pooling", spec)
        if pooling == STATES:
            _check_limits(steps, spec)
        else:
            _check_steps(steps, spec)
        return cls(encoder, int(layer), pooling, tuple(steps), _known(precision or codec, codec_names(), "codec", spec))


@dataclass(kw_only=True, frozen=True)
class Recipe:
    """Everything that decides the bytes of one column.

    Attributes:
        reading: how the encoder reads texts.
        layer: 0 is the embedding layer; the last one is the encoder's output, after its final norm if it has one.
        pooling: how states become one vector.
        steps: what follows pooling, in order.
        codec: the precision of the stored rows.
        calibration: digest of what the codec learned from its sample, "" for codecs that learn nothing.
        reduction: digest of what the steps learned from theirs, "" for steps that learn nothing.
    """

    reading: Reading
    layer: int
    pooling: str
    steps: tuple[str, ...]
    codec: str
    calibration: str = ""
    reduction: str = ""

    @property
    def fingerprint(self) -> str:
        """The recipe's identity: 32 hexadecimal digits, the same on every machine."""
        return self._digest({"kind": "rows", **self.fields()})

    @property
    def source(self) -> str:
        """The identity of the float32 vectors behind the rows: the recipe without its codec."""
        return self._digest({"kind": "vectors", **replace(self, codec="", calibration="").fields()})

    def fields(self) -> dict[str, object]:
        """Its fields, for JSON; an empty reduction is left out, as in recipes of before reductions."""
        found = asdict(self)
        return found if self.reduction else {name: value for name, value in found.items() if name != "reduction"}

    @staticmethod
    def _digest(fields: dict[str, object]) -> str:
        canonical = json.dumps({"version": _RECIPE_VERSION, **fields}, sort_keys=True, separators=(",", ":"))
        return blake2b(canonical.encode(), digest_size=16).hexdigest()


def valid_name(name: str, what: str) -> str:
    """Return a name that is fit for folders and columns.

    Raises:
        UsageError: it is not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for {what}: use letters, digits, dot, dash and underscore")
    return name


def _check_limits(steps: list[str], spec: str) -> None:
    if len(steps) > 1 or any(step not in {f"{word}{limit_of(step)[1] or ''}" for word in LIMITS} for step in steps):
        raise UsageError(
            f"unknown limit of states in {spec!r}: states+first8 keeps the first 8 positions, "
            "states+segments8 the means of 8 segments"
        )


def _check_steps(steps: list[str], spec: str) -> None:
    words = []
    for step in steps:
        word, number = limit_of(step)
        words.append(_known(word, STEPS, "step", spec))
        wanted = word in ("pca", "dims")
        if step != f"{word}{number or ''}" or bool(number) != wanted:
            right = f"{word}64, with any number from 1" if wanted else word
            raise UsageError(f"{step!r} in {spec!r} is no step: write {right}")
    for word in LEARNED:
        if words.count(word) > 1:
            raise UsageError(f"{spec!r} has the step {word!r} twice; it learns from a sample once")


def _known(word: str, words: tuple[str, ...], what: str, spec: str) -> str:
    if word not in words:
        raise UsageError(f"unknown {what} {word!r} in {spec!r}; choose from: {', '.join(words)}")
    return word
