"""Steps on the fake encoder: every codec, states, faults, heads, search, deduplication, and what is dropped."""

import shutil
from typing import Any

import corpus
import names
import numpy as np

CODECS = ("float32", "float16", "int8", "int4", "binary")
COLUMNS = [
    *(f"fake/2/mean@{codec}" for codec in CODECS),
    "fake/4/max+unit@int8",
    "fake/3/first@int4",
    "fake/1/states@float16",
    "fake/3/states@float32",
]
TEXTS = corpus.texts_of(72)
IDS = [f"t{at}" for at in range(len(TEXTS))]
LABELS = {"single": corpus.moods, "multi": corpus.topics, "regression": corpus.sizes}


def walk(run: Any) -> None:
    """All steps on the fake encoder."""
    for name in ("encode", "put", "fit", "predict", "search", "dedup", "export", "forget"):
        run.step(f"fake {name}", lambda name=name: STEPS[name](run))


def encode(run: Any) -> None:
    """Two runs, so two segments; pairs, a duplicate, texts that are empty, fail or are long; a column added late."""
    path = run.out / "banks" / "fake"
    names.get("Bank").create(path).close()
    block = names.get("TextBlock")
    broken = "this one fails"
    encoder = names.get("FakeEncoder")(failing={broken: "vectors"})
    later = ["", TEXTS[0], broken, "long " * 80, *zip(TEXTS[:6], TEXTS[6:12], strict=True), *corpus.texts_of(9, 200)]
    first = [block("first", 0, TEXTS[:48], ids=IDS[:48]), block("first", 48, TEXTS[48:], ids=IDS[48:])]
    reports = [
        names.encode_fake(path, encoder, COLUMNS, first, keep_text=True),
        names.encode_fake(path, encoder, COLUMNS, [block("second", 0, later)], keep_text=True),
    ]
    late = run.out / "banks" / "late"
    names.get("Bank").create(late).close()
    for columns, texts in (COLUMNS[1:3], TEXTS[:40]), (["fake/0/mean@int8", COLUMNS[-1]], TEXTS[30:9:-2]):
        reports.append(names.encode_fake(late, encoder, columns, [block("late", 0, texts)]))
    run.table("fake-encoded", [[report.rows, report.new, report.completed, report.n_faults] for report in reports])


def put(run: Any) -> None:
    """Vectors made elsewhere."""
    vectors = np.random.default_rng(5).standard_normal((len(TEXTS), 12)).astype(np.float32)
    with names.get("Bank").create(run.out / "banks" / "given") as bank:
        for codec in CODECS:
            names.call("put", bank, TEXTS, vectors, f"mine/0/own@{codec}", ids=list(range(len(TEXTS))))
        bank.fit("mood", corpus.moods(TEXTS), texts=TEXTS)
        run.table("given-predicted", bank.predict(proba=True))


def fit(run: Any) -> None:
    """A head of every kind, on all columns and on chosen ones; one from ids; two texts apart."""
    with _bank(run) as bank:
        for kind, label in LABELS.items():
            bank.fit(kind, label(TEXTS), texts=TEXTS)
        chosen = names.make("FitSettings", columns=("fake/2/mean@int8",), class_weight="balanced", seed=3)
        bank.fit("weighted", corpus.moods(TEXTS), ids=IDS, settings=chosen)
        cities = [text.split()[-1] for text in TEXTS]
        bank.fit("city", cities, texts=TEXTS, settings=names.make("FitSettings", columns=("fake/2/mean@binary",)))
        seconds, labels = corpus.neighbours(TEXTS)
        apart = names.make("FitSettings", reads="apart", columns=("fake/2/mean@float32",))
        bank.fit("alike", labels, texts=TEXTS, seconds=seconds, settings=apart)
        bank.refit("weighted")


def predict(run: Any) -> None:
    """Every task, on every text of the bank and on chosen ones; decoded vectors of every column."""
    with _bank(run) as bank:
        run.table("fake-predicted", bank.predict(proba=True))
        run.table("fake-predicted-some", bank.predict(TEXTS[5:15], tasks=["multi", "city"]))
        apart = bank.predict(TEXTS[:8], seconds=TEXTS[1:9], tasks=["alike"], proba=True)
        run.table("fake-predicted-apart", apart)
        for column in COLUMNS[:7]:
            np.save(run.out / "files" / f"fake-{column.replace('/', '-')}.npy", bank.vectors(column))


def search(run: Any) -> None:
    """By texts and by vectors, in every codec, and narrowed by a task."""
    settings = names.get("SearchSettings")
    with _bank(run) as bank:
        for codec in CODECS:
            found = names.call("search", bank, TEXTS[:6], settings(k=5, column=f"fake/2/mean@{codec}"))
            run.table(f"fake-searched-{codec}", found)
        vectors = np.random.default_rng(6).standard_normal((4, 16)).astype(np.float32)
        narrowed = settings(k=5, column="fake/2/mean@int8", where=(("single", "good"),))
        run.table("fake-searched-narrowed", names.call("search", bank, vectors, narrowed))


def dedup(run: Any) -> None:
    """Near duplicates at two thresholds."""
    settings = names.get("DedupSettings")
    with _bank(run) as bank:
        for threshold in (0.7, 0.9):
            asked = settings(threshold=threshold, column="fake/2/mean@float16")
            run.table(f"fake-duplicates-{threshold}", names.groups_of(names.call("find_duplicates", bank, asked)))


def export(run: Any) -> None:
    """Vectors as NumPy and Parquet files."""
    with _bank(run) as bank:
        for kind in ("npy", "parquet"):
            place = run.out / "files" / f"exported.{kind}"
            names.call("export_column", bank, place, kind, "fake/2/mean@int8")


def forget(run: Any) -> None:
    """A copy of the bank without a column, a task and some texts."""
    target = run.out / "banks" / "forgotten"
    shutil.copytree(run.out / "banks" / "fake", target)
    with names.get("Bank").open(target) as bank:
        readers = names.call("forget_column", bank, "fake/2/mean@binary")
        names.call("forget_task", bank, "multi")
        dropped, unknown = names.call("forget_ids", bank, [*IDS[3:20], "nobody"])
        run.table("forgotten", [sorted(readers), dropped, unknown])
        bank.refit("single")
        run.table("forgotten-predicted", bank.predict(tasks=["single", "weighted"], proba=True))
        run.table("forgotten-damage", [str(one) for one in bank.verify()])


def _bank(run: Any) -> Any:
    return names.get("Bank").open(run.out / "banks" / "fake")


STEPS = {
    "encode": encode,
    "put": put,
    "fit": fit,
    "predict": predict,
    "search": search,
    "dedup": dedup,
    "export": export,
    "forget": forget,
}
