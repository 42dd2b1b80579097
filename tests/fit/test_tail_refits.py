"""Tails fitted again, forgotten, damaged, or of an encoder that has changed; and what works without torch."""

import json
import shutil
import subprocess
import sys

import pytest

import embank
from embank.errors import EncoderChangedError, EncoderError, HeadError, UsageError
from material.tail_bank import (
    IDS,
    TASKS,
    TEXTS,
    equal,
    labelled,
    reopened,
    weights,
)
from material.tails import (
    COLUMN,
    LINEAR,
    moods,
    options,
    same,
    save_tiny,
    settings,
    texts_of,
)

pytestmark = pytest.mark.usefixtures("one_thread")


# fitting again, forgetting


def test_a_refit_gives_the_same_tail(fitted):
    before, right = fitted.predict(TEXTS).to_pydict(), weights(fitted)
    known = {task.name: task for task in fitted.tasks()}
    for task in ("mood", "words", "where"):
        report = fitted.refit(task)
        assert (report.kind, report.examples) == (TASKS[task], len(TEXTS))
        assert report.validation[report.measure] == known[task].score
    assert equal(weights(fitted), right)
    same(fitted.predict(TEXTS).to_pydict(), before, atol=1e-6)


def test_a_refit_leaves_out_texts_that_were_forgotten(fitted):
    assert fitted.forget_ids([*IDS[:10], "nobody"]) == (10, ["nobody"])
    for task in ("mood", "words"):
        report = fitted.refit(task)
        assert (report.examples, report.skipped) == (62, {"text not in the bank": 10})
    assert len(fitted.predict(tasks=["mood"])) == 2 * len(TEXTS) - 10
    fitted.forget_ids(IDS)
    with pytest.raises(HeadError, match="too few of its texts are left in the bank to fit it again"):
        fitted.refit("mood")


def test_forgetting_a_tail_leaves_the_others_as_they_were(fitted):
    before = fitted.predict(TEXTS).to_pydict()
    fitted.forget_task("topics")
    del before["topics"], before["topics_score"]
    same(fitted.predict(TEXTS).to_pydict(), before, atol=1e-6)
    assert not list((fitted.path / "tasks").glob("topics*"))
    assert fitted.verify() == []


def test_a_head_takes_the_place_of_a_tail_and_a_tail_that_of_a_head(fitted):
    fitted.fit("mood", moods(TEXTS), texts=TEXTS)
    fitted.fit("plain", moods(TEXTS), texts=TEXTS, settings=settings())
    by_name = {task.name: task for task in fitted.tasks()}
    assert (by_name["mood"].columns, by_name["plain"].columns) == ((LINEAR,), (COLUMN,))
    assert None not in fitted.predict(tasks=["mood", "plain"]).to_pydict()["plain"]
    assert fitted.verify() == []


def test_states_that_are_others_now_need_a_refit(bank):
    column = "tiny/2/states@int8"
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(columns=(column,)))
    bank.forget_column(column)
    bank.encode(["fine" * 3, *texts_of(30, 800)], columns=[column])  # calibrated on other texts
    with pytest.raises(HeadError, match=f"'mood' was fitted on another {column}.* --refit --task mood"):
        bank.predict()
    assert {task.stale for task in bank.tasks()} == {f"{column} has changed"}
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(columns=(column,)))
    assert None not in bank.predict(TEXTS).to_pydict()["mood"]


# encoders and files that are not what they were


def test_an_encoder_whose_weights_have_changed_is_refused(tmp_path, bank):
    folder = save_tiny(tmp_path / "tiny")
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings())
    for column in (None, COLUMN, LINEAR):
        if column is not None:
            bank.forget_column(column)
        with reopened(bank, places=(f"tiny={folder}",)) as moved:
            assert None not in moved.predict(TEXTS[:2]).to_pydict()["mood"]
        bank = embank.Bank.open(bank.path, options())
    save_tiny(folder, seed=8)
    with (
        reopened(bank, places=(f"tiny={folder}",)) as moved,
        pytest.raises(EncoderChangedError, match="has changed since this bank was encoded with it as 'tiny'"),
    ):
        moved.predict(TEXTS[:2])


def test_an_encoder_that_is_not_there_any_more_is_named(tmp_path):
    folder = save_tiny(tmp_path / "tiny")
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, columns=[COLUMN, LINEAR], encoder=str(folder))
        bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings())
        bank.fit("plain", moods(TEXTS), texts=TEXTS)
    shutil.rmtree(folder)
    with embank.Bank.open(tmp_path / "bank", options()) as bank:
        with pytest.raises(EncoderError, match=f"{folder}"):
            bank.predict(tasks=["mood"])
        assert None not in bank.predict(tasks=["plain"]).to_pydict()["plain"]


@pytest.mark.parametrize("name", ["tail.json", "tail.safetensors"])
def test_a_damaged_tail_is_found_and_named(fitted, name):
    (file,) = (fitted.path / "tasks").glob(f"mood*/{name}")
    file.write_bytes(file.read_bytes()[:-20])
    assert any(name in damage.where for damage in fitted.verify())
    with pytest.raises(HeadError, match=r"found a damaged tail in .*; fit the task again"):
        fitted.predict(tasks=["mood"])
    fitted.refit("mood")
    assert fitted.verify() == []
    assert None not in fitted.predict(TEXTS, tasks=["mood"]).to_pydict()["mood"]


def test_a_tail_of_a_newer_format_is_refused(fitted):
    (file,) = (fitted.path / "tasks").glob("mood*/tail.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "format_version": 99}))
    with pytest.raises(HeadError, match=r"format version 99 .* expected at most 1; install a newer embank"):
        fitted.predict(tasks=["mood"])


def test_a_family_that_cannot_be_cut_is_refused_before_anything_is_encoded(tmp_path):
    folder = save_tiny(tmp_path / "fn", "fnet")
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, columns=["fn/2/mean"], encoder=str(folder))
        for asked in (
            settings(columns=()),
            settings(columns=("fn/1/states",)),
            settings(columns=(), tail={"cut": 1}),
            settings(columns=(), tail={"trials": True}),
        ):
            with pytest.raises(UsageError, match=r"family \(fnet\) that cannot be cut at a layer; its pooled vectors"):
                bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=asked)
        assert [one.name for one in bank.summary().columns] == ["fn/2/mean@float16"]


def test_an_encoder_that_reads_in_windows_has_no_states(tmp_path, folder):
    windows = options(reading=embank.ReadingOptions(long="windows", max_tokens=12))
    with embank.Bank.create(tmp_path / "bank", windows) as bank:
        bank.encode(TEXTS, columns=[LINEAR], encoder=str(folder))
        for columns in ((), (COLUMN,)):
            with pytest.raises(UsageError, match="reads long ones in windows; give it another name with --long cut"):
                bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(columns=columns))


# what does not need torch


def runs_without_torch(bank, lines):
    program = "\n    ".join(
        [
            f"import sys, embank\nwith embank.Bank.open({str(bank.path)!r}) as bank:",
            *lines,
            "assert not {'torch', 'transformers', 'peft'} & set(sys.modules), 'torch was imported'",
        ]
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bank_with_tails_is_read_and_its_heads_predict_without_torch(fitted):
    fitted.close()
    runs_without_torch(
        fitted,
        [
            "assert len(bank.tasks()) == 6",
            "assert bank.summary().texts == 144",
            "assert bank.verify() == []",
            f"assert len(bank.vectors({LINEAR!r})) == 144",
            "assert None not in bank.predict(tasks=['plain']).to_pydict()['plain']",
            f"assert None not in bank.predict({TEXTS[:9]!r}, tasks=['plain']).to_pydict()['plain']",
        ],
    )


def test_heads_are_fitted_again_and_tails_forgotten_without_torch(fitted):
    fitted.close()
    runs_without_torch(
        fitted,
        [
            "bank.refit('plain')",
            "bank.forget_task('mood')",
            f"bank.forget_column({COLUMN!r})",
            "bank.forget_ids(['t1'])",
        ],
    )


def test_a_tail_that_is_named_for_two_texts_apart_is_refused(fitted):
    with pytest.raises(embank.errors.UsageError, match="is a tail and reads texts together"):
        fitted.predict(TEXTS[:2], seconds=TEXTS[2:4], tasks=["mood"])


def test_a_class_weighting_is_refused_with_a_tail(bank):
    labels, texts = labelled("single")
    settings = embank.FitSettings(class_weight="balanced", tail=embank.TailSettings())
    with pytest.raises(embank.errors.UsageError, match="weighs all classes alike"):
        bank.fit("mood", labels, texts=texts, settings=settings)
