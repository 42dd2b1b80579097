"""Distilled projection: small students of minilm whose vectors are compact, on graded pairs of sentences.

Teacher: minilm's own vectors, 384 wide. Students keep two or three of its layers and learn 48 or 96 dimensions of the
teacher's PCA, or all of its dimensions, of which a PCA of what they give keeps so many, from sentences of encyclopedia,
news and novels; nothing of the graded sets is trained on. Rate and layers are chosen by Spearman on the dev
rows of STS-B, the pass that is kept by similarity to the teacher on held-out sentences. Beside them stand the teacher's
own PCA, and the PCA of a student of the same size that learned the full width. Spearman times 100 on the test rows of
STS-B, STS12 and STS13, for float32, int8 and binary rows. Finished parts are kept.

    python bench/distillation.py [--texts 120000] [--passes 1] [--few 6000] [--epochs 3] [--study students,speed]
"""

import argparse
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, claim, data_folder, kept, record

import embank
from embank.distill.settings import ProjectionSettings, Recipe
from embank.distill.teacher import DistilledFrom, Teacher, distil

GRADED = ("stsb", "sts12", "sts13")
CODECS = ("float32", "int8", "binary")
WIDE = 384
WORDS = (4, 24)
"""Words of a sentence that is learned from: the graded ones are as short."""

RATES = (1e-4, 3e-4)
LAYERS = {3: ("0,1,2", "0,2,5"), 2: ("0,1", "0,5")}


@dataclass(frozen=True)
class Design:
    """A student."""

    layers: str = "0,1,2"
    width: int = 48
    rate: float = 3e-4
    shorter: tuple[int, ...] = ()
    recipe: Recipe = "best"

    @property
    def name(self) -> str:
        """For its part and its folder."""
        parts = [
            self.layers.replace(",", ""),
            self.width,
            self.recipe,
            f"{self.rate:g}",
            *(f"and{one}" for one in self.shorter),
        ]
        return "-".join(map(str, parts))


def sentences(most: int) -> list[str]:
    """Different sentences, a third of each kind of text, shuffled."""
    found: list[str] = []
    for name in ("wikipedia", "wikinews", "novels"):
        paragraphs = pq.read_table(data_folder() / "text" / name / "train.parquet", columns=["text"])["text"]
        own: dict[str, None] = {}
        for at in np.random.default_rng(0).permutation(len(paragraphs)):
            for sentence in re.split(r"(?<=[.!?]) +(?=[A-Z\"])", paragraphs[int(at)].as_py()):
                if WORDS[0] <= sentence.count(" ") + 1 <= WORDS[1]:
                    own[sentence] = None
            if len(own) >= most // 3 + 1:
                break
        found += list(own)[: most // 3 + 1]
    order = np.random.default_rng(0).permutation(len(found))
    return [found[at] for at in order[:most]]


def graded(name: str) -> tuple[list[tuple[str, str]], list[float]]:
    """Test pairs and their grades."""
    table = pq.read_table(data_folder() / "sts" / name / "test.parquet").to_pydict()
    return list(zip(table["text"], table["text_pair"], strict=True)), table["score"]


def scores(encoder: str, layer: int, widths: Sequence[str], texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Spearman times 100 by width and codec, and set; what is fitted is fitted on `texts`."""
    folder = WORK / "distillation" / "scores"
    shutil.rmtree(folder, ignore_errors=True)
    name = encoder.partition("=")[0]
    columns = [f"{name}/{layer}/own{width}@{codec}" for width in widths for codec in CODECS]
    found = {}
    with embank.Bank.create(folder) as bank:
        bank.encode(list(texts), columns=columns, encoder=encoder)
        pairs = [pair for one in GRADED for pair in graded(one)[0]]
        bank.encode([text for pair in pairs for text in pair], columns=columns, encoder=encoder)
        for column in columns:
            spec = column.rpartition("/")[2].removeprefix("own")
            found[spec] = {one: 100 * bank.evaluate_sts(column, *graded(one)).spearman for one in GRADED}
    shutil.rmtree(folder)
    return found


def teacher_scores(texts: Sequence[str]) -> dict[str, Any]:
    """The teacher whole and its PCAs, without and with centring."""
    widths = ["", "+pca96", "+pca48", "+centred+pca96", "+centred+pca48"]
    return scores("minilm", 6, widths, texts)


def student(design: Design, most: int, epochs: int) -> dict[str, Any]:
    """A student's held-out similarity, seconds, and scores."""
    place = WORK / "distillation" / f"{most}-{epochs}-{design.name}"
    texts = sentences(most)
    folder = WORK / "distillation" / "teacher"
    made_of = DistilledFrom(student=design.layers)
    with embank.Bank.open_or_create(folder) as bank:
        lesson = Teacher(bank.session).prepare(texts, made_of)
    settings = ProjectionSettings(
        width=design.width,
        training=embank.TrainingSettings(epochs=epochs, batch=64, rate=design.rate),
        widths=design.shorter,
        recipe=design.recipe,
    )
    shutil.rmtree(place, ignore_errors=True)
    report = distil(lesson, settings, place)
    layers = design.layers.count(",") + 1
    widths = [""] if design.width < WIDE else ["", "+pca96", "+pca48"]
    widths += [f"+dims{one}" for one in design.shorter]
    return {
        "similarity": {str(one.width): one.student for one in report.widths},
        "pca": {str(one.width): one.pca for one in report.widths},
        "seconds": report.seconds,
        "scores": scores(f"student={place}", layers, widths, texts[:5000]),
    }


def validated(design: Design, most: int, epochs: int) -> dict[str, float]:
    """Spearman times 100 of a student on the dev rows of STS-B."""
    place = WORK / "distillation" / f"{most}-{epochs}-{design.name}"
    table = pq.read_table(data_folder() / "sts" / "stsb" / "dev.parquet").to_pydict()
    pairs = list(zip(table["text"], table["text_pair"], strict=True))
    folder = WORK / "distillation" / "dev"
    shutil.rmtree(folder, ignore_errors=True)
    with embank.Bank.create(folder) as bank:
        column = f"student/{design.layers.count(',') + 1}/own@float32"
        bank.encode([text for pair in pairs for text in pair], columns=[column], encoder=f"student={place}")
        return {"dev": 100 * bank.evaluate_sts(column, pairs, table["score"]).spearman}


def cells(found: dict[str, dict[str, float]], width: str) -> str:
    """The sets at float32, their mean, and the means at int8 and binary."""
    exact = found[f"{width}@float32"]
    means = {codec: float(np.mean(list(found[f"{width}@{codec}"].values()))) for codec in CODECS}
    sets = " | ".join(f"{exact[name]:.2f}" for name in GRADED)
    return f"{sets} | **{means['float32']:.2f}** | {means['int8']:.2f} | {means['binary']:.2f}"


def held(found: dict[str, Any]) -> float:
    """Similarity to the teacher on held-out sentences."""
    return float(np.mean(list(found["similarity"].values())))


TITLES = ["| | STS-B | STS12 | STS13 | mean | int8 | binary |", "|---|" + "---:|" * 6]


class Study:
    """Parts of the measurement, each kept."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked

    def part(self, design: Design, most: int, epochs: int) -> dict[str, Any]:
        """One student, read or made."""
        found: dict[str, Any] = kept(
            f"distillation/{most}-{epochs}/{design.name}", lambda: student(design, most, epochs)
        )
        line = {spec: f"{np.mean(list(own.values())):.2f}" for spec, own in found["scores"].items()}
        print(design.name, f"similarity {100 * held(found):.2f}, {found['seconds']:.0f} s", line, flush=True)
        return found

    def best(self, designs: Sequence[Design]) -> Design:
        """The one that does best on the dev rows, on few texts."""
        return max(designs, key=self.dev)

    def dev(self, design: Design) -> float:
        """What a design is chosen by."""
        few, epochs = self.asked.few, self.asked.epochs
        self.part(design, few, epochs)
        found = kept(f"distillation/{few}-{epochs}/{design.name}-dev", lambda: validated(design, few, epochs))
        print(design.name, f"dev {found['dev']:.2f}", flush=True)
        return float(found["dev"])

    def chosen(self) -> dict[int, Design]:
        """Rate, then layers, on few texts."""
        base = self.best([Design(rate=rate) for rate in RATES])
        return {count: self.best([replace(base, layers=layers) for layers in LAYERS[count]]) for count in LAYERS}

    def students(self) -> None:
        """Two and three layers, 96 and 48 dimensions, beside PCAs."""
        asked = self.asked
        teacher = kept("distillation/teacher", lambda: teacher_scores(sentences(5000)))
        lines = list(TITLES)
        for width, label in (
            ("", "teacher, 384"),
            ("+pca96", "its PCA, 96"),
            ("+pca48", "its PCA, 48"),
            ("+centred+pca96", "its PCA, 96, centred"),
            ("+centred+pca48", "its PCA, 48, centred"),
        ):
            lines.append(f"| {label} | {cells(teacher, width)} |")
        whole = float(np.mean(list(teacher["@float32"].values())))
        shares = []
        for count, design in self.chosen().items():
            both = self.part(replace(design, width=96, shorter=(48,)), asked.texts, asked.passes)
            for narrow, width in ((96, ""), (48, "+dims48")):
                lines.append(f"| {count} layers ({design.layers}), {narrow} | {cells(both['scores'], width)} |")
                mean = float(np.mean(list(both["scores"][f"{width}@float32"].values())))
                shares.append(f"{count} layers, {narrow}: {100 * mean / whole:.1f} %")
            for narrow in (96, 48) if count == max(LAYERS) else ():
                found = self.part(replace(design, width=narrow, recipe="paper"), asked.texts, asked.passes)
                lines.append(f"| {count} layers, {narrow}, learned alone | {cells(found['scores'], '')} |")
            wide = self.part(replace(design, width=WIDE), asked.texts, asked.passes)
            for width in ("", "+pca96", "+pca48"):
                label = f"{count} layers, learned 384" + (f", its PCA, {width[4:]}" if width else "")
                lines.append(f"| {label} | {cells(wide['scores'], width)} |")
        base = self.chosen()[3]
        lines += [
            "",
            f"Of the teacher's mean: {'; '.join(shares)} (target: 3 layers at 96 dimensions 97.5 %). {asked.texts:,} "
            f"sentences, {asked.passes} passes, rate {base.rate:g}, one seed; int8 "
            "and binary are means. 96 and 48 dimensions are of one student, the 48 its first ones, which learned all "
            "384 and kept a PCA of what it gives; those that learned 96 or 48 alone are as in the paper.",
        ]
        record("Students 1. Graded pairs", lines)

    def speed(self) -> None:
        """Texts a second of the teacher and of students, in turn."""
        texts = sentences(self.asked.texts)[: 6 * 1000]
        folder = WORK / "distillation" / "speed"
        shutil.rmtree(folder, ignore_errors=True)
        encoders = {"minilm": "minilm"}
        for count, design in self.chosen().items():
            one = replace(design, width=96, shorter=(48,))
            self.part(one, self.asked.texts, self.asked.passes)
            place = WORK / "distillation" / f"{self.asked.texts}-{self.asked.passes}-{one.name}"
            encoders[f"{count} layers"] = f"student{count}={place}"
        seconds: dict[str, list[float]] = {name: [] for name in encoders}
        with embank.Bank.create(folder) as bank:
            for round_ in range(6):
                for name, encoder in encoders.items():
                    short, layer = encoder.partition("=")[0], 6 if name == "minilm" else int(name[0])
                    some = texts[round_ * 1000 : (round_ + 1) * 1000]
                    began = time.perf_counter()
                    bank.encode(some, columns=[f"{short}/{layer}/own@float16"], encoder=encoder)
                    seconds[name].append(time.perf_counter() - began)
        lines = []
        for name, taken in seconds.items():
            ratios = [one / two for one, two in zip(seconds["minilm"][1:], taken[1:], strict=True)]
            rate = 1000 / float(np.median(taken[1:]))
            lines.append(f"- {name}: {rate:,.0f} sentences/s, {float(np.median(ratios)):.2f} times minilm")
        record("Students 3. Encoding", [*lines, "", "Backend and precision as chosen here; writing included."])
        for name, count in (("three", 3), ("two", 2)):
            taken = zip(seconds["minilm"][1:], seconds[f"{count} layers"][1:], strict=True)
            claim(f"distill.speed.{name}", f"{float(np.median([one / two for one, two in taken])):.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=120_000)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--few", type=int, default=6_000, help="sentences by which designs are chosen")
    parser.add_argument("--epochs", type=int, default=3, help="passes over them")
    parser.add_argument("--study", default="students,speed")
    asked = parser.parse_args()
    for name in asked.study.split(","):
        getattr(Study(link=asked), name)()


if __name__ == "__main__":
    main()
