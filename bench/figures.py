"""Figures that are computed from the parts of studies: one registered function per claim."""

from collections.abc import Callable, Iterable
from functools import partial
from statistics import mean, stdev
from typing import Any

import parts

COMPUTED: dict[str, Callable[[], str]] = {}
"""By the id of the claim: what gives its figure as text."""

_read: list[parts.Part] = []

SETS = ("scicite", "scierc_rel", "sst2", "cola", "trec", "clinc150", "bc5cdr", "scierc_ner", "wnut17", "xquad_en")
THREE = ("trec", "sst2", "cola")
POOLED = ("scicite", "trec")
TRAINED = "trunks/3000-1-64-0.00015-of4-nodrop-first/float32"
STUDENTS = "distillation/120000-1"
WHOLE = "96-mse+cosine-0.0003-and48-whole"


def computed(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register the function that computes the figure of a claim."""

    def register(function: Callable[[], str]) -> Callable[[], str]:
        COMPUTED[name] = function
        return function

    return register


def compute(name: str) -> tuple[str, parts.Part]:
    """The figure of a claim, and the newest of the parts that it rests on."""
    _read.clear()
    figure = COMPUTED[name]()
    return figure, max(reversed(_read), key=lambda part: part["day"])


def found(key: str) -> Any:
    """What a part found; it counts among those that the figure rests on.

    Raises:
        KeyError: where it has not been measured.
    """
    _read.append(parts.read(key.partition("/")[0])[key])
    return _read[-1]["found"]


def points(difference: float, places: int = 2) -> str:
    """A difference of two scores that are percentages."""
    return f"{difference:+.{places}f} points"


def average(study: str, names: Iterable[str], field: str = "score", scale: float = 100) -> float:
    """Mean of one field over the parts `<study>/<name>`."""
    return scale * float(mean(found(f"{study}/{name}")[field] for name in names))


# tails


def tail(way: str, sets: tuple[str, ...] = SETS, seeds: int = 1) -> str:
    """A way of bench/tails_accuracy.py to full fine-tuning."""

    def of(one: str) -> float:
        return average("tails/1000-8", [f"{name}-{one}-{seed}" for name in sets for seed in range(seeds)])

    return points(of(way) - of("finetune"))


for _name, _way in {
    "full": "full",
    "adapters": "adapters",
    "lora": "lora",
    "third": "lower",
    "frozen": "frozen",
}.items():
    computed(f"tails.{_name}")(partial(tail, _way))
computed("tails.three.full")(partial(tail, "full", THREE, 3))
computed("tails.three.adapters")(partial(tail, "adapters", THREE, 3))


def tail_speed(phase: str) -> str:
    """Seconds of the whole encoder by seconds of the tail."""
    return f"{found('tails-speed/bert-base-32')[phase][2]:.2f} times"


for _what in ("train", "predict"):
    for _state in ("cold", "warm"):
        computed(f"tails.speed.{_what}.{_state}")(partial(tail_speed, f"{_what}, {_state}"))


def states(kind: str) -> str:
    """Tails on states of another precision, or of fewer positions, to all states at float16."""

    def of(one: str) -> float:
        return average("states-precision/1000-8", [f"{name}-{one}-0" for name in ("trec", "sst2", "scicite")])

    return points(of(kind) - of("float16"))


for _name, _kind in {"int4": "4-bits", "binary": "1-bit", "first8": "first-8", "segments8": "8-segments"}.items():
    computed(f"states.{_name}")(partial(states, _kind))


def peers(field: str, key: str | None, other: str, *, fewer: bool) -> str:
    """Mean over two sets of how many times faster a tail is than another way."""
    ratios = []
    for name in POOLED:
        own, theirs = (found(f"tails-peers/1000-8/{name}-{way}")[field] for way in ("tail", other))
        own, theirs = (own, theirs) if key is None else (own[key], theirs[key])
        ratios.append(theirs / own if fewer else own / theirs)
    return f"{mean(ratios):.1f} times"


computed("tails.peft.train")(partial(peers, "seconds", None, "LoRA", fewer=True))
computed("tails.peft.predict")(partial(peers, "speeds", "1", "LoRA", fewer=False))


def above(other: str) -> str:
    """Macro-F1 of a tail above another way, mean of two sets."""
    own, theirs = (average("tails-peers/1000-8", [f"{name}-{way}" for name in POOLED]) for way in ("tail", other))
    return points(own - theirs, 1)


computed("tails.peft.accuracy")(partial(above, "LoRA"))
computed("tails.setfit")(partial(above, "SetFit"))


@computed("tails.bridge")
def bridge() -> str:
    """A smaller encoder on bridged states to the same on tokens."""
    own, small = (average("cross-model/1000-8", [f"{name}-{way}" for name in POOLED]) for way in ("bridge-3", "small"))
    return points(own - small, 1)


# pooling


def pooled(first: str, second: str) -> str:
    """One way to pool above another, mean of two sets."""
    own, other = (average("pooling/600-20", [f"{name}-{way}-0" for name in POOLED]) for way in (first, second))
    return points(own - other, 1)


computed("pooling.attention")(partial(pooled, "attention-one-1", "mean-one-1"))
computed("pooling.concatenated")(partial(pooled, "attention-concatenated-1", "attention-one-1"))
computed("pooling.queries")(partial(pooled, "attention-queries-2", "attention-queries-1"))


# models trained on other tasks


def transfers(rows: int, codec: str) -> list[dict[str, Any]]:
    """What bench/trunks.py found for each left-out set."""
    own: list[dict[str, Any]] = found(f"{TRAINED}-{rows}-600")[codec]
    return own


def gain(rows: int) -> str:
    """The encoder trained on several tasks above the raw one, with the standard error over sets."""
    gains = [100 * (one["without"] - one["raw"]) for one in transfers(rows, "float16")]
    return f"{mean(gains):+.2f} ± {stdev(gains) / len(gains) ** 0.5:.2f} points"


computed("multitask.gain.600")(partial(gain, 600))
computed("multitask.gain.200")(partial(gain, 200))


@computed("multitask.binary.600")
def multitask_binary() -> str:
    """Binary columns of that encoder to its float16 ones."""
    wide, narrow = (mean(one["without"] for one in transfers(600, codec)) for codec in ("float16", "binary"))
    return points(100 * (narrow - wide))


def prefixed(design: str, way: str) -> float:
    """Mean score over the left-out sets of prefixes of one design."""
    return average(
        f"prefixes/600-64-6-16-0-None-{design}", [f"{one['task']}-{way}" for one in transfers(600, "float16")]
    )


def prefixes(way: str) -> str:
    """Prefixes above the raw encoder, mean of two seeds; it is the same encoder and the same sets."""
    raw = 100 * mean(one["raw"] for one in transfers(600, "float16"))
    return points(mean(prefixed(f"{seed}-mlp", way) for seed in (1, 2)) - raw)


computed("prefixes.apart")(partial(prefixes, "apart"))
computed("prefixes.together")(partial(prefixes, "together"))


@computed("prefixes.mlp")
def through_mlp() -> str:
    """Prefixes made by an MLP to plain ones."""
    return points(prefixed("0-mlp", "apart") - prefixed("0", "apart"), 1)


def update(alone: tuple[str, ...], whole: str) -> str:
    """Seconds of an update by training all again, to those with prefixes."""
    study = "updates/500-3-2000-0-mlp"
    again, own = found(f"{study}/{whole}"), found(f"{study}/prefixes")
    return f"{(again['training'] + again['encoding']) / sum(own[field] for field in alone):.1f} times"


computed("prefixes.add")(partial(update, ("training", "encoding"), "trunk-9"))
computed("prefixes.remove")(partial(update, ("removing",), "trunk-7"))


# students


def graded(scores: dict[str, float]) -> float:
    """Mean over STS-B, STS12 and STS13."""
    return mean(scores.values())


def student(name: str, column: str = "@float32", study: str = STUDENTS) -> float:
    """Mean of a student's scores."""
    return graded(found(f"{study}/{name}")["scores"][column])


def teacher(column: str = "@float32") -> float:
    """Mean of minilm's own scores."""
    return graded(found("distillation/teacher")[column])


def share(layers: str, column: str) -> str:
    """Share of the teacher's mean that a student keeps."""
    return f"{100 * student(f'{layers}-{WHOLE}', column) / teacher():.1f} %"


computed("distill.three.96")(partial(share, "025", "@float32"))
computed("distill.three.48")(partial(share, "025", "+dims48@float32"))
computed("distill.two.96")(partial(share, "05", "@float32"))


@computed("distill.pca.48")
def above_pca() -> str:
    """48 dimensions of a student above the PCA of its teacher."""
    return points(student(f"025-{WHOLE}", "+dims48@float32") - teacher("+pca48@float32"))


def above_own_pca(column: str, reduced: str) -> str:
    """Dimensions of a student above the PCA of a student of all dimensions."""
    return points(student(f"025-{WHOLE}", column) - student("025-384-mse+cosine-0.0003", reduced))


computed("distill.full_pca.96")(partial(above_own_pca, "@float32", "+pca96@float32"))
computed("distill.full_pca.48")(partial(above_own_pca, "+dims48@float32", "+pca48@float32"))


@computed("distill.alone.48")
def above_alone() -> str:
    """Learning all dimensions and keeping 48 above learning 48 alone."""
    return points(student(f"025-{WHOLE}", "+dims48@float32") - student("025-48-mse+cosine-0.0003"), 1)


@computed("distill.similarity")
def similarity_loss() -> str:
    """A third loss beside mean squared error and cosine."""
    few = "distillation/6000-3"
    with_it = student("012-48-mse+cosine+similarity-0.0003", study=few)
    return points(with_it - student("012-48-mse+cosine-0.0003", study=few), 1)


# break-even


@computed("breakeven.student")
def students_of_one_layer() -> str:
    """Students of one layer to frozen heads, mean of six sets."""
    names = ("scicite", "trec", "sst2", "cola", "snips", "tweet_emotion")

    def of(way: str) -> float:
        return average("break-even/1000", [f"{name}-{way}" for name in names], scale=1)

    return points(of("student-1") - of("frozen"), 1)
