"""Every feature obeys the options that its bank was opened with: where encoders are, and how they are opened."""

import pkgutil
import shutil
import sys
from importlib import import_module

import pytest

import embank
from embank.evaluate.transfer import Target, TransferSettings, frozen_score
from embank.fit.source_tasks import Source
from material.distill import settings as distillation
from material.tails import COLUMN, LINEAR, moods, options, save_tiny, texts_of

TEXTS, NEW = texts_of(60), texts_of(9, 700)
LOOP = embank.TrainingSettings(epochs=1, batch=16, rate=2e-3)
TAIL = embank.FitSettings(columns=(COLUMN,), tail=embank.TailSettings(training=LOOP))
TRIED = embank.FitSettings(tail=embank.TailSettings(training=LOOP, trials=True))
POOLING = embank.PoolingSettings(design=embank.PoolingDesign((2,)), training=LOOP)
HEAD = embank.FitSettings(columns=(LINEAR,))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A bank with states of some texts, a head, a tail, a pooling and a student, whose encoder has moved since."""
    root = tmp_path_factory.mktemp("moved")
    folder = save_tiny(root / "tiny")
    kept = options(run=embank.EncodeSettings(states_budget=1))
    with embank.Bank.create(root / "bank", kept) as bank:
        bank.encode(TEXTS[:20], columns=[COLUMN], encoder=str(folder), keep_text=True)
        bank.encode(TEXTS, columns=[COLUMN, LINEAR, "tiny/4/mean@float16"], keep_text=True)
        bank.fit("head", moods(TEXTS), texts=TEXTS, settings=HEAD)
        bank.fit("tail", moods(TEXTS), texts=TEXTS, settings=TAIL)
        (root / "pooling").write_text(bank.learn_pooling("pool", moods(TEXTS), TEXTS, POOLING).column)
        teacher = embank.DistilledFrom("tiny=" + str(folder))
        bank.distill(TEXTS, root / "student", distillation(epochs=1), teacher)
    shutil.move(folder, root / "elsewhere")
    return root


def distilled(bank, root, work):
    return bank.distill([*TEXTS, *NEW], work / "new", distillation(epochs=1), embank.DistilledFrom("tiny"))


def transferred(bank, root, work):
    target = Target(Source(name="mood", texts=TEXTS, labels=moods(TEXTS), kind="single"), (NEW, moods(NEW)))
    settings = TransferSettings(options=bank.session.options)
    return frozen_score(work / "frozen", str(root / "elsewhere"), target, settings)


def asked(bank, root, work):
    corpus = dict(enumerate(map(str, NEW)))
    judged = embank.JudgedQueries(corpus=corpus, queries={"q": "where is rome"}, relevant={"q": {0: 1}})
    return bank.evaluate_retrieval(LINEAR, judged)


FEATURES = {
    "encode": lambda bank, *_: bank.encode(NEW),
    "encode by name": lambda bank, *_: bank.encode(NEW, encoder="tiny"),
    "encode columns by name": lambda bank, *_: bank.encode(NEW, columns=["tiny/1/mean"], encoder="tiny"),
    "encode kept texts": lambda bank, *_: bank.encode_kept(["tiny/1/mean"]),
    "weigh states": lambda bank, *_: bank.weigh_states(TEXTS),
    "vectors": lambda bank, *_: bank.vectors(LINEAR, NEW),
    "queries": lambda bank, *_: bank.queries(NEW, LINEAR),
    "own pooling": lambda bank, *_: bank.full_name("tiny/4/own"),
    "fit": lambda bank, *_: bank.fit("new", moods(TEXTS + NEW), texts=TEXTS + NEW, settings=HEAD),
    "fit a tail": lambda bank, *_: bank.fit("new", moods(TEXTS + NEW), texts=TEXTS + NEW, settings=TAIL),
    "fit a tail after trials": lambda bank, *_: bank.fit("new", moods(TEXTS), texts=TEXTS, settings=TRIED),
    "refit a tail": lambda bank, *_: bank.refit("tail"),
    "plan": lambda bank, *_: bank.plan(TEXTS, {"mood": moods(TEXTS)}, embank.PlanSettings(minutes=0.02)),
    "predict": lambda bank, *_: bank.predict(NEW),
    "search": lambda bank, *_: bank.search(NEW, embank.SearchSettings(column=LINEAR)),
    "dedup": lambda bank, *_: list(bank.dedup(embank.DedupSettings(0.9, LINEAR)).blocks()),
    "export": lambda bank, _, work: bank.export(work / "out.npy", "npy", LINEAR),
    "learn a pooling": lambda bank, *_: bank.learn_pooling("p", moods(TEXTS), TEXTS, POOLING),
    "fill a pooling": lambda bank, root, _: bank.fill_pooling((root / "pooling").read_text(), TEXTS + NEW),
    "distil": distilled,
    "fill a teacher": lambda bank, root, _: bank.fill_student_space(root / "student"),
    "graded pairs": lambda bank, *_: bank.evaluate_sts(LINEAR, list(zip(NEW, TEXTS, strict=False)), range(9)),
    "retrieval": asked,
    "transfer": transferred,
    "scikit-learn": lambda bank, *_: embank.Columns(bank, [LINEAR]).fit_transform(NEW),
    "sentence-transformers": lambda bank, *_: embank.SentenceEncoder(bank, LINEAR).encode(NEW),
}
NEVER_OPENED = {"own pooling", "dedup", "export", "fill a teacher"}
TAKEN_APART = {"fit a tail", "fit a tail after trials", "refit a tail", "plan", "predict", "distil"}
"""These train or run layers themselves, which they open in torch and float32, whatever the bank encodes in."""


def opened(moved, work, compute, **given):
    shutil.copytree(moved / "bank", work / "bank")
    places = (f"tiny={moved / 'elsewhere'}",)
    run = embank.EncodeSettings(states_budget=1)
    return embank.Bank.open(work / "bank", embank.BankOptions(compute=compute, run=run, places=places, **given))


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_finds_an_encoder_that_has_moved(moved, tmp_path, feature):
    with opened(moved, tmp_path, embank.ComputeOptions("torch", "float32", tmp_path / "cache")) as bank:
        FEATURES[feature](bank, moved, tmp_path)


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_opens_encoders_as_the_options_say(moved, tmp_path, monkeypatch, feature):
    openings, searches = recorded(monkeypatch)
    compute = embank.ComputeOptions("torch", "bfloat16", tmp_path / "cache")
    with opened(moved, tmp_path, compute, local_files_only=True) as bank:
        FEATURES[feature](bank, moved, tmp_path)
    allowed = {"bfloat16", "float32"} if feature in TAKEN_APART else {"bfloat16"}
    assert {backend for backend, _, _ in openings} <= {"torch"}
    assert {dtype for _, dtype, _ in openings} <= allowed
    assert {cache for _, _, cache in openings} <= {tmp_path / "cache", None}  # torch alone keeps nothing there
    assert bool(openings) == (feature not in NEVER_OPENED)
    assert searches <= {True}


def recorded(monkeypatch):
    """How encoders are opened from now on, as lists and sets that fill: backend, dtype, cache; local_files_only."""
    for module in pkgutil.walk_packages(embank.__path__, "embank."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    opening = sys.modules["embank.encoders.load"]
    openings, searches = [], set()

    def recording(name, record):
        true = getattr(opening, name)

        def patched(*given, **named):
            record(*given, **named)
            return true(*given, **named)

        for module in [module for path, module in sys.modules.items() if path.startswith("embank.")]:
            if getattr(module, name, None) is true:
                monkeypatch.setattr(module, name, patched)

    recording("open_encoder", lambda _, backend, dtype, cache: openings.append((backend, dtype, cache)))
    recording("open_torch_encoder", lambda _, dtype="float32": openings.append(("torch", dtype, None)))
    for name in ("locate", "locate_all"):
        recording(name, lambda *_, local_files_only=False: searches.add(local_files_only))
    return openings, searches
