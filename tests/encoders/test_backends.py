"""Which backend and precision is taken: never one beyond tolerance, remembered for the machine, refused where unknown."""

import json

import numpy as np
import pytest

from embank.encoders import Readout, backends
from embank.encoders.backends import (
    SAMPLE,
    TOLERANCE,
    Compute,
    ComputeOptions,
    choose,
    machine,
    open_fastest,
    remember,
    remembered,
)
from embank.encoders.load import locate
from embank.errors import EncoderError, ExtraMissingError, UsageError
from embank.optional import is_installed
from embank.testing import FakeEncoder

TEXTS = [f"the pump number {number} is broken" for number in range(20)]
READOUTS = [Readout(2, "mean"), Readout(4, "max")]


class Moved(FakeEncoder):
    """A fake encoder whose numbers are moved in one readout, as a lower precision moves them."""

    def __init__(self, move, readout=0):
        super().__init__()
        self._move, self._readout = move, readout

    def vectors(self, batch, readouts):
        found = super().vectors(batch, readouts)
        found[self._readout] = self._move(found[self._readout])
        return found


def noisy(size):
    return lambda vectors: vectors + np.float32(size) * np.random.default_rng(1).normal(size=vectors.shape).astype("f4")


def broken(vectors):
    vectors[0, 3] = np.nan
    return vectors


def chosen(encoders, texts=TEXTS):
    return choose(lambda backend, dtype: encoders[backend, dtype], list(encoders), texts, READOUTS)


REFERENCE = ("torch", "float32")
OTHER = ("openvino", "bfloat16")
WRONG = {
    "noise in the first readout": Moved(noisy(0.3)),
    "noise in the second readout": Moved(noisy(0.3), 1),
    "no number in the first readout": Moved(broken),
    "no number in the second readout": Moved(broken, 1),
    "one row is wrong": Moved(lambda vectors: np.vstack([vectors[:-1], -vectors[-1:]])),
    "nothing but zeros": Moved(np.zeros_like),
    "infinite": Moved(lambda vectors: vectors * np.float32(np.inf)),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_candidate_beyond_tolerance_is_never_taken(kind):
    choice, measured = chosen({REFERENCE: FakeEncoder(), OTHER: WRONG[kind]})
    assert (choice.backend, choice.dtype) == REFERENCE
    assert measured[1].cosine < TOLERANCE
    assert choice.cosine == 1.0


def test_a_candidate_within_tolerance_is_taken_where_it_is_faster(monkeypatch):
    ticks = iter([0.0, 10.0, 20.0, 25.0, 30.0, 31.0])  # 10 s, 5 s, 1 s: no clock is read
    monkeypatch.setattr("embank.encoders.backends.time.perf_counter", lambda: next(ticks))
    encoders = {REFERENCE: FakeEncoder(), OTHER: Moved(noisy(0.005)), ("torch", "bfloat16"): Moved(noisy(0.3))}
    choice, measured = chosen(encoders)
    assert (choice.backend, choice.dtype) == OTHER
    assert TOLERANCE <= choice.cosine < 1
    assert [one.speed for one in measured] == [2.0, 4.0, 20.0]
    assert str(choice) == f"openvino bfloat16, cosine to float32 {choice.cosine:.5f}, 4 texts/s on a sample"


def test_the_reference_is_measured_first_and_once_whatever_the_order():
    opened = []

    def opener(backend, dtype):
        opened.append((backend, dtype))
        return FakeEncoder()

    choose(opener, [OTHER, REFERENCE], TEXTS, READOUTS)
    choose(opener, [OTHER], TEXTS, READOUTS)
    assert opened == [REFERENCE, OTHER] * 2


def test_a_candidate_that_does_not_run_is_out_and_the_reference_runs():
    class Broken(FakeEncoder):
        def vectors(self, *_):
            raise RuntimeError("no such operation")

    choice, measured = chosen({REFERENCE: FakeEncoder(), OTHER: Broken()})
    assert (choice.backend, choice.dtype) == REFERENCE
    assert len(measured) == 1
    with pytest.raises(RuntimeError, match="no such operation"):
        chosen({REFERENCE: Broken(), OTHER: FakeEncoder()})


def test_no_more_than_a_sample_is_timed():
    encoder = FakeEncoder()
    chosen({REFERENCE: encoder}, [f"text {number}" for number in range(3 * SAMPLE)])
    assert len(encoder.encoded) == SAMPLE


def test_a_choice_is_remembered_by_its_key(tmp_path):
    choice = Compute(backend="openvino", dtype="bfloat16", cosine=0.99995, speed=300.0)
    assert remembered(tmp_path / "cache", "k1") is None
    remember(
        tmp_path / "cache", "k1", choice, [Compute(backend="torch", dtype="float32", cosine=1.0, speed=200.0), choice]
    )
    assert remembered(tmp_path / "cache", "k1") == choice
    assert remembered(tmp_path / "cache", "k2") is None
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["compute-k1.json"]


DAMAGED = {
    "empty": b"",
    "cut": b'{"choice": {"backend": "torch"',
    "not text": b"\xff\xfe\x00",
    "no choice": b"{}",
    "a list": b"[1, 2]",
    "another field": b'{"choice": {"backend": "torch", "dtype": "float32", "cosine": 1, "speed": 2, "colour": 1}}',
    "no numbers": b'{"choice": {"backend": "torch", "dtype": "float32", "cosine": "high", "speed": 2}}',
    "beyond tolerance": b'{"choice": {"backend": "torch", "dtype": "bfloat16", "cosine": 0.9, "speed": 2}}',
    "null": b'{"choice": {"backend": "torch", "dtype": "float32", "cosine": null, "speed": 2}}',
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_memory_is_measured_again(kind, tmp_path):
    remember(tmp_path, "k", Compute(backend="torch", dtype="float32", cosine=1.0, speed=200.0), [])
    (tmp_path / "compute-k.json").write_bytes(DAMAGED[kind])
    assert remembered(tmp_path, "k") is None


def test_a_choice_that_cannot_be_kept_stops_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    remember(tmp_path / "file" / "cache", "k", Compute(backend="torch", dtype="float32"), [])
    assert "the choice of backend is not kept" in caplog.text


def test_what_is_measured_belongs_to_this_machine():
    assert machine() == machine()
    assert machine().count("-") >= 3


@pytest.mark.parametrize(
    ("backend", "dtype", "expected"),
    [
        (None, None, [("torch", "float32"), ("torch", "bfloat16"), ("openvino", "float32"), ("openvino", "bfloat16")]),
        ("torch", None, [("torch", "float32"), ("torch", "bfloat16")]),
        ("openvino", None, [("openvino", "float32"), ("openvino", "bfloat16")]),
        (None, "float32", [("torch", "float32"), ("openvino", "float32")]),
        ("openvino", "bfloat16", [("openvino", "bfloat16")]),
        ("torch", "float16", [("torch", "float16")]),
    ],
)
def test_candidates_are_what_the_options_leave_on_a_processor(backend, dtype, expected, monkeypatch):
    monkeypatch.setattr(backends, "is_installed", lambda _: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert backends._candidates(ComputeOptions(backend, dtype)) == expected


def test_candidates_on_a_graphics_card_are_torchs_alone(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert {backend for backend, _ in backends._candidates(ComputeOptions())} == {"torch"}
    assert ("torch", "float16") in backends._candidates(ComputeOptions())
    with pytest.raises(UsageError, match="openvino"):
        backends._candidates(ComputeOptions("openvino"))


def test_without_openvino_it_is_no_candidate_unless_asked_for(monkeypatch):
    monkeypatch.setattr(backends, "is_installed", lambda _: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert {backend for backend, _ in backends._candidates(ComputeOptions())} == {"torch"}
    assert ("openvino", "float32") in backends._candidates(ComputeOptions("openvino"))


@pytest.mark.parametrize(("backend", "dtype"), [("openvino", "float16"), (None, "float16")])
def test_a_precision_that_is_not_computed_here_is_refused(backend, dtype, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match="does not compute in float16"):
        backends._candidates(ComputeOptions(backend, dtype))


def test_words_that_are_not_known_are_refused_with_those_that_are():
    with pytest.raises(UsageError, match="unknown backend 'tensorflow'; choose from: torch, openvino"):
        ComputeOptions("tensorflow")
    with pytest.raises(UsageError, match="unknown compute precision 'int4'; choose from: float32, bfloat16, float16"):
        ComputeOptions(None, "int4")


def test_what_was_measured_once_is_opened_without_measuring_again(family_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "SAMPLE", 3)
    monkeypatch.setattr(backends, "WORTH_MEASURING", len(TEXTS))
    located = locate(str(family_folder("bert")))
    options = ComputeOptions("torch", None, tmp_path)
    first, choice = open_fastest(located, options, TEXTS, READOUTS[:1])
    assert choice.speed > 0
    assert first.facts.compute == f"torch {choice.dtype}, {first.device}"
    monkeypatch.setattr(backends, "choose", None)
    again, same = open_fastest(located, options, [], READOUTS[:1])
    assert same == choice
    assert again.facts.compute == first.facts.compute


def test_a_remembered_choice_that_is_no_candidate_any_more_is_measured_again(family_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "SAMPLE", 3)
    monkeypatch.setattr(backends, "WORTH_MEASURING", len(TEXTS))
    located = locate(str(family_folder("bert")))
    options = ComputeOptions("torch", None, tmp_path)
    open_fastest(located, options, TEXTS, READOUTS[:1])
    (file,) = tmp_path.glob("compute-*.json")
    file.write_text(json.dumps({"choice": {"backend": "abacus", "dtype": "float32", "cosine": 1.0, "speed": 9.0}}))
    _, choice = open_fastest(located, options, TEXTS, READOUTS[:1])
    assert choice.backend == "torch"


@pytest.mark.parametrize("memory", [None, "abacus"])
def test_a_run_too_small_to_repay_it_measures_nothing(memory, family_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "choose", None)
    if memory:
        stale = Compute(backend=memory, dtype="float32", cosine=1.0, speed=9.0)
        monkeypatch.setattr(backends, "remembered", lambda *_: stale)
    _, choice = open_fastest(
        locate(str(family_folder("bert"))), ComputeOptions("torch", None, tmp_path), TEXTS, READOUTS
    )
    assert choice == Compute(backend="torch", dtype="float32", unmeasured=True)
    assert list(tmp_path.iterdir()) == []


def test_one_candidate_is_opened_without_measuring(family_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "choose", None)
    encoder, choice = open_fastest(
        locate(str(family_folder("bert"))), ComputeOptions("torch", "bfloat16", tmp_path), TEXTS, READOUTS
    )
    assert choice == Compute(backend="torch", dtype="bfloat16")
    assert encoder.facts.compute.startswith("torch bfloat16")
    assert list(tmp_path.iterdir()) == []


def test_graphs_and_measurements_go_to_the_home_folder_unless_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ComputeOptions().folder == tmp_path / ".cache" / "embank"
    assert ComputeOptions(cache=tmp_path / "here").folder == tmp_path / "here"


def test_without_torch_the_install_line_comes_before_all_else(family_folder, monkeypatch):
    def absent(module, extra):
        raise ExtraMissingError(f"{module} is needed here: pip install 'embank[{extra}]'")

    monkeypatch.setattr(backends, "load", absent)
    with pytest.raises(ExtraMissingError, match="torch is needed"):
        open_fastest(locate(str(family_folder("bert"))), ComputeOptions("openvino"), TEXTS, READOUTS)
    assert is_installed("torch")
    assert issubclass(ExtraMissingError, Exception)
    assert not issubclass(ExtraMissingError, EncoderError)
