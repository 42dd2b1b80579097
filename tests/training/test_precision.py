"""Which precision training computes in: the one that is measured to be faster, and the same one to its end."""

import pytest
import torch

from embank.training import precision as module
from embank.training.checkpoint import Checkpoint, CheckpointFile
from embank.training.loop import train
from embank.training.precision import faster, precision, settled
from material.training import TinyDataset, accuracy, bert_tail, settings_of
from training.test_loop import Run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def anew():
    faster.cache_clear()
    yield
    faster.cache_clear()


def computed_in():
    with precision():
        return torch.nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize(("narrow", "expected"), [(0.5, torch.bfloat16), (1.0, torch.float32), (2.0, torch.float32)])
def test_bfloat16_is_taken_where_its_products_are_clearly_faster_and_nowhere_else(monkeypatch, narrow, expected):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(module, "_product", lambda dtype: narrow if dtype == torch.bfloat16 else 1.0)
    assert computed_in() == expected


@pytest.mark.usefixtures("anew")
def test_a_processor_without_bfloat16_is_not_asked_how_fast_it_is(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(module, "_product", lambda dtype: pytest.fail(f"timed {dtype}"))
    assert computed_in() == torch.float32


def test_a_product_takes_time():
    assert module._product(torch.float32) > 0


def test_what_is_settled_holds_in_its_block_alone():
    other = "float32" if faster() == "bfloat16" else "bfloat16"
    before = computed_in()
    with settled(other):
        assert computed_in() == getattr(torch, other)
    assert computed_in() == before


def test_a_training_that_goes_on_computes_in_what_it_began_in(tmp_path, monkeypatch):
    seen = []

    def run(**settings):
        tail, dataset = bert_tail(), TinyDataset()

        def score():
            seen.append(computed_in())
            return accuracy(tail, dataset)

        return Run(
            module=tail,
            dataset=dataset,
            validate=score,
            settings=settings_of(**settings),
            checkpoint=CheckpointFile(tmp_path / "c", "this"),
        )

    with monkeypatch.context() as patched:
        patched.setattr("embank.training.loop.faster", lambda: "bfloat16")
        train(run(epochs=1))
    assert Checkpoint.read(tmp_path / "c", "this").position.dtype == "bfloat16"
    monkeypatch.setattr("embank.training.loop.faster", lambda: "float32")
    assert train(run(epochs=2)).resumed
    assert seen == [torch.bfloat16, torch.bfloat16]
    (tmp_path / "c").unlink()
    train(run(epochs=1))
    assert seen[-1] == torch.float32
