"""Steps on a real transformer, tiny and random or minilm: columns, heads, tails, pooling, and models trained here.

Every training is a few steps of torch in float32 on one thread.
"""

import csv
import json
from pathlib import Path
from typing import Any

import corpus
import names
import numpy as np

CODECS = ("float32", "float16", "int8", "int4", "binary")
TRAINING = ("--epochs", "1", "--batch", "16", "--quiet")


def walk(run: Any, encoder: str) -> None:
    """All steps on one encoder."""
    import torch

    torch.set_num_threads(1)
    # Training takes bfloat16 where a product is timed to be faster, which may differ between two sides under load.
    torch.ops.mkldnn._is_mkldnn_bf16_supported = lambda: False  # noqa: SLF001
    steps = Steps(run, encoder)
    for name in (
        "encode",
        "reading",
        "heads",
        "tails",
        "tail_methods",
        "pooling",
        "predict",
        "search",
        "commands",
        "multitask",
        "prefixes",
        "together",
        "distilled",
        "baselines",
    ):
        run.step(f"{encoder} {name}", getattr(steps, name))


class Steps:
    """Steps on one encoder; later ones read the bank that the first ones made.

    Attributes:
        run: the walk.
        name: what banks call the encoder.
        place: where it is found.
        layers: how many it has.
        texts: what is encoded; fewer for minilm, whose steps are slower.
        ids: of the texts.
        others: each text's neighbour.
        alike: labels of the texts beside their neighbours.
        pairs: questions beside the texts.
        kinds: texts and labels of each kind of task.
    """

    def __init__(self, run: Any, encoder: str) -> None:
        self.run = run
        self.name = encoder
        self.layers = corpus.LAYERS if encoder == "tiny" else 6
        self.place = str(corpus.save_tiny(run.out / "inputs" / "tiny")) if encoder == "tiny" else encoder
        self.middle = f"{self.name}/{self.layers // 2}/states@float16"
        self.inputs = run.out / "inputs" / f"{encoder}-rows"
        self.inputs.mkdir(exist_ok=True)
        self.texts = corpus.texts_of(72 if encoder == "tiny" else 36)
        self.ids = [f"t{at}" for at in range(len(self.texts))]
        self.others, self.alike = corpus.neighbours(self.texts)
        self.pairs, answers = corpus.questions(self.texts)
        self.kinds = {
            "single": (self.texts, corpus.moods(self.texts)),
            "multi": (self.texts, corpus.topics(self.texts)),
            "regression": (self.texts, corpus.sizes(self.texts)),
            "tagging": (self.texts, corpus.tags(self.texts)),
            "span": (self.pairs, answers),
        }
        self._write_inputs()

    def encode(self) -> None:
        """Every codec, the poolings, the encoder's own and default columns, states; pairs; a second segment."""
        path = self.run.out / "banks" / self.name
        last = self.layers
        columns = [
            *(f"{self.name}/{last}/mean@{codec}" for codec in CODECS),
            *(f"{self.name}/{last - 1}/{pooling}@int8" for pooling in ("first", "max", "last", "mean+unit")),
            f"{self.name}/1/states@float32",
            self.middle,
            *([] if self.name == "tiny" else [f"{self.name}/{last}/own@float16"]),  # the tiny one prescribes no pooling
        ]
        with names.get("Bank").create(path, self._options()) as bank:
            bank.encode(self.texts, ids=self.ids, columns=columns, encoder=self.place, keep_text=True)
            more = [*corpus.texts_of(8, 300), self.texts[0], "", "and very " * 60]
            report = bank.encode(more, keep_text=True)
            self._table("encoded", [report.rows, report.new, report.known, report.cut, report.n_faults])
        with self._made("defaults") as bank:
            bank.encode(self.texts[:20], encoder=self.place, codec="int8", states=1)
            bank.encode(self.pairs[:20])

    def reading(self) -> None:
        """Another prompt, length and side; windows over long texts."""
        long = [f"{text} {' and very cold in rome' * 9}" for text in self.texts[:12]]
        for name, given in {
            "prompted": {"prompt": "the query : ", "max_tokens": 16, "truncation": "left"},
            "windowed": {"max_tokens": 20, "long": "windows"},
        }.items():
            with self._made(name, reading=names.make("ReadingOptions", **given)) as bank:
                bank.encode([*self.texts[:12], *long], encoder=self.place)

    def heads(self) -> None:
        """A head of each kind; pairs together and apart."""
        with self._bank() as bank:
            for kind in ("single", "multi", "regression"):
                texts, labels = self.kinds[kind]
                bank.fit(kind, labels, texts=texts)
            chosen = names.make("FitSettings", columns=(f"{self.name}/{self.layers}/mean@int8",))
            pairs = list(zip(self.texts, self.others, strict=True))
            bank.fit("together", self.alike, texts=pairs, settings=chosen)
            apart = names.make("FitSettings", columns=(f"{self.name}/{self.layers}/mean@int8",), reads="apart")
            bank.fit("apart", self.alike, texts=self.texts, seconds=self.others, settings=apart)

    def tails(self) -> None:
        """A tail of each kind, all of its layers trained."""
        with self._bank() as bank:
            for kind, (texts, labels) in self.kinds.items():
                bank.fit(f"tail-{kind}", labels, texts=texts, settings=self._tail(kind))

    def tail_methods(self) -> None:
        """Adapters, LoRA, a cut chosen by short trials, a refit, and an adapter beside states that are not stored."""
        texts, labels = self.kinds["single"]
        with self._bank() as bank:
            for method in ("adapters", "lora"):
                settings = self._tail("single", method=method, width=8, rank=4)
                bank.fit(f"tail-{method}", labels, texts=texts, settings=settings)
            bank.refit("tail-lora")
        with self._made("trials") as bank:
            bank.encode(self.texts[:32], encoder=self.place, states=1)
            settings = self._tail("single", columns=(), trials=True)
            bank.fit("tail-trials", labels[:32], texts=texts[:32], settings=settings)
            self._table("trials-predicted", bank.predict(self.texts[20:36], proba=True))

    def pooling(self) -> None:
        """A learned pooling of one layer, and the column that it fills."""
        texts, labels = self.kinds["single"]
        design = names.make("PoolingDesign", layers=(self.layers // 2,))
        training = names.make("TrainingSettings", epochs=2, batch=16)
        settings = names.make("PoolingSettings", design=design, training=training)
        with self._made("pooled") as bank:
            bank.encode(self.texts[:20], encoder=self.place, columns=[self.middle])
            learned = names.call("learn_pooling", bank, "moods", labels, texts, settings)
            names.call("fill_pooling", bank, learned.column)
            np.save(self.run.out / "files" / f"{self.name}-pooled.npy", bank.vectors(learned.column))
            self._table("pooled", [learned.column, learned.report.validation, learned.report.train])

    def predict(self) -> None:
        """Every head and tail: on texts that the bank has and on new ones, on pairs, on two texts apart."""
        with self._bank() as bank:
            tasks = [name for name in (one.name for one in bank.tasks()) if name not in ("apart", "tail-span")]
            texts = [*self.texts[:10], *corpus.texts_of(6, 400)]
            single = [name for name in tasks if name != "together"]
            self._table("predicted", bank.predict(texts, tasks=single, proba=True))
            self._table("predicted-pairs", bank.predict(self.pairs[:12], tasks=["tail-span", "together"], proba=True))
            apart = bank.predict(self.texts[:8], seconds=self.others[:8], tasks=["apart"], proba=True)
            self._table("predicted-apart", apart)
            for column in (f"{self.name}/{self.layers}/mean@int4", f"{self.name}/{self.layers}/mean@binary"):
                np.save(
                    self.run.out / "files" / f"{column.replace('/', '-')}.npy", bank.vectors(column, self.texts[:9])
                )

    def search(self) -> None:
        """Search for texts that are new, and near duplicates."""
        column = f"{self.name}/{self.layers}/mean@int8"
        with self._bank() as bank:
            settings = names.get("SearchSettings")(k=4, column=column)
            self._table("searched", names.call("search", bank, ["where is the cold pump ?", self.texts[3]], settings))
            np.save(
                self.run.out / "files" / f"{self.name}-queries.npy", names.call("queries", bank, self.texts[:3], column)
            )
            asked = names.get("DedupSettings")(threshold=0.95, column=column)
            self._table("duplicates", names.groups_of(names.call("find_duplicates", bank, asked)))

    def commands(self) -> None:
        """Encode, fit and predict by the command line, from and to files."""
        bank, rows = self.run.out / "banks" / f"{self.name}-commands", self.inputs / "rows.csv"
        compute = ("--backend", "torch", "--dtype", "float32", "--quiet")
        names.command("encode", bank, rows, "--text", "text", "--id", "id", "--encoder", self.place, *compute)
        names.command("fit", bank, rows, "--task", "mood", "--label", "mood", "--id", "id", *compute)
        out = self.run.out / "files" / f"{self.name}-predicted.csv"
        names.command("predict", bank, rows, "--text", "text", "--id", "id", "-o", out, "--proba", *compute)

    def multitask(self) -> None:
        """An encoder trained on tasks of every kind, and what it encodes."""
        out = self.run.out / "folders" / f"{self.name}-multitask"
        sources = self.inputs / "sources.toml"
        names.command("train multitask", out, "--sources", sources, "--encoder", self.place, *TRAINING)
        self._encoded_by(out, "multitask")

    def prefixes(self) -> None:
        """A prefix for each of two tasks, one of them replaced; each is an encoder."""
        out = self.run.out / "folders" / f"{self.name}-prefixes"
        sources = ("--sources", self.inputs / "sources.toml")
        length = ("--length", "4", *TRAINING)
        for source in ("mood", "size"):
            names.command("add prefix", out, *sources, "--source", source, "--encoder", self.place, *length)
        names.command("replace prefix", out, *sources, "--source", "size", "--from-layer", "1", *length)
        self._encoded_by(out, "prefixes")

    def together(self) -> None:
        """Prefixes that are read together in one pass."""
        out = self.run.out / "folders" / f"{self.name}-prefixes-together"
        given = ("--sources", self.inputs / "sources.toml", "--encoder", self.place, "--length", "3", *TRAINING)
        for source in ("mood", "tags"):
            names.command("add prefix", out, "--source", source, "--prefixes", "together", *given)
        self._encoded_by(out, "together")

    def distilled(self) -> None:
        """A student of few dimensions, the teacher's vectors in its space, and what it encodes itself."""
        out, bank = self.run.out / "folders" / f"{self.name}-distilled", self.run.out / "banks" / f"{self.name}-teacher"
        size = ("--student", "2", "--width", "16", "--matryoshka", "8")
        given = (self.inputs / "rows.csv", "--teacher", self.place, "--bank", bank, *size)
        compute = ("--backend", "torch", "--dtype", "float32")
        names.command("train distilled", out, *given, *compute, *TRAINING)
        for path in out.glob("*.safetensors"):
            order_notes(path)
        names.command("fill distilled", bank, out, "--quiet")
        self._encoded_by(out, "distilled")

    def baselines(self) -> None:
        """Scores of fine-tuning and of a student of two layers."""
        given = (self.inputs / "rows.csv", "--label", "mood", "--text", "text", "--encoder", self.place, *TRAINING)
        for command in ("finetune", "student"):
            self._table(command, sorted(_numbers(names.json_of(command, *given))))

    def _encoded_by(self, folder: Path, name: str) -> None:
        with self._made(name) as bank:
            bank.encode(self.texts[:24], encoder=str(folder))
            bank.fit("mood", corpus.moods(self.texts[:24]), texts=self.texts[:24])
            self._table(f"{name}-predicted", bank.predict(corpus.texts_of(6, 500), proba=True))

    def _tail(self, kind: str, columns: tuple[str, ...] | None = None, **tail: Any) -> Any:
        training = names.make("TrainingSettings", epochs=1, batch=16)
        settings = names.make("TailSettings", training=training, **tail)
        return names.make(
            "FitSettings", kind=kind, columns=(self.middle,) if columns is None else columns, tail=settings
        )

    def _options(self, **given: Any) -> Any:
        compute = names.make("ComputeOptions", backend="torch", dtype="float32")
        return names.make("BankOptions", compute=compute, local_files_only=True, **given)

    def _bank(self) -> Any:
        return names.get("Bank").open(self.run.out / "banks" / self.name, self._options())

    def _made(self, name: str, **options: Any) -> Any:
        return names.get("Bank").create(self.run.out / "banks" / f"{self.name}-{name}", self._options(**options))

    def _table(self, name: str, rows: Any) -> None:
        self.run.table(f"{self.name}-{name}", rows)

    def _write_inputs(self) -> None:
        """Rows as files, and the list of source tasks, for the command line."""
        rows = list(
            zip(
                self.ids,
                self.texts,
                corpus.moods(self.texts),
                corpus.sizes(self.texts),
                self.others,
                self.alike,
                strict=True,
            )
        )
        with (self.inputs / "rows.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("id", "text", "mood", "size", "other", "alike"), *rows])
        tagged = [
            {"words": text.split(), "tags": tags, "text": text, "topics": topics}
            for text, tags, topics in zip(self.texts, corpus.tags(self.texts), corpus.topics(self.texts), strict=True)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in tagged)
        (self.inputs / "words.jsonl").write_text(lines, encoding="utf-8")
        (self.inputs / "sources.toml").write_text(SOURCES, encoding="utf-8")


SOURCES = """
[[source]]
name = "mood"
files = "rows.csv"
text = "text"
label = "mood"

[[source]]
name = "size"
files = "rows.csv"
text = "text"
label = "size"
kind = "regression"
weight = 0.5

[[source]]
name = "topics"
files = "words.jsonl"
text = "text"
label = "topics"
kind = "multi"

[[source]]
name = "tags"
files = "words.jsonl"
words = "words"
label = "tags"
kind = "tagging"

[[source]]
name = "alike"
files = "rows.csv"
text = "text"
pair = "other"
label = "alike"

[[source]]
name = "apart"
files = "rows.csv"
text = "text"
pair = "other"
label = "alike"
reads = "apart"
"""


def order_notes(path: Path) -> None:
    """Sort the notes of a safetensors file: its library writes them in a random order, and all of it is digested."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(size)
    path.write_bytes(len(ordered).to_bytes(8, "little") + ordered + content[8 + size :])


def _numbers(found: Any, name: str = "") -> list[float]:
    """All scores in what a command said, whatever their names; no seconds and nothing that is derived from them."""
    if isinstance(found, dict):
        return [one for key, value in found.items() for one in _numbers(value, key)]
    if isinstance(found, list):
        return [one for value in found for one in _numbers(value, name)]
    timed = any(word in name for word in ("second", "speed", "per_", "rate", "time"))
    return [found] if isinstance(found, float) and not timed else []
