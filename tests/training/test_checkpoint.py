"""A checkpoint gives back what was put in, or nothing: never half of it, and never an error."""

import errno
import json
import os
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save

from embank.errors import HeadError, StorageFullError
from embank.training.checkpoint import FORMAT_VERSION, Checkpoint, Position, _digest, training_identity
from embank.training.settings import TrainingSettings

POSITION = Position(
    step=7,
    epoch=2,
    batch=3,
    best=0.75,
    best_epoch=1,
    scores=(0.5, 0.75),
    losses=(1.25, 0.5),
    loss_sum=2.5,
    seconds=12.5,
    dtype="bfloat16",
)


def checkpoint(position=POSITION, identity="this", *, best=True):
    generator = torch.Generator().manual_seed(1)
    weights = {
        "upper.layer.2.weight": torch.randn(4, 3, generator=generator),
        "output.bias": torch.randn(2, generator=generator),
    }
    moments = {f"exp_avg.{name}": tensor * 2 for name, tensor in weights.items()}
    moments |= {f"step.{name}": torch.tensor(7.0) for name in weights}
    kept = {name: tensor + 1 for name, tensor in weights.items()} if best else {}
    return Checkpoint(
        identity=identity,
        position=position,
        weights=weights,
        moments=moments,
        best=kept,
        random=torch.get_rng_state(),
    )


def alike(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) and tensor.shape == other[name].shape for name, tensor in one.items())


@pytest.mark.parametrize("best", [True, False])
def test_what_is_written_is_read_back_to_the_bit(tmp_path, best):
    written = checkpoint(best=best)
    path = tmp_path / "not there yet" / "task.safetensors"
    written.write(path)
    found = Checkpoint.read(path, "this")
    assert (found.identity, found.position) == ("this", POSITION)
    alike(found.weights, written.weights)
    alike(found.moments, written.moments)
    alike(found.best, written.best)
    assert torch.equal(found.random, written.random)
    assert [file.name for file in path.parent.iterdir()] == ["task.safetensors"]


def test_weights_that_are_views_of_something_larger_are_written_as_they_look(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    views = {"turned": whole.T, "part": whole[1:, ::2]}
    Checkpoint(
        identity="this", position=POSITION, weights=views, moments={}, best={}, random=torch.get_rng_state()
    ).write(tmp_path / "c")
    alike(Checkpoint.read(tmp_path / "c", "this").weights, views)


_NUMBERS = st.floats(allow_nan=False)
_COUNTS = st.integers(0, 2**40)


@settings(max_examples=settings.default.max_examples // 2, deadline=None)
@given(
    position=st.builds(
        Position,
        step=_COUNTS,
        epoch=_COUNTS,
        batch=_COUNTS,
        best=_NUMBERS,
        best_epoch=_COUNTS,
        scores=st.lists(_NUMBERS, max_size=5).map(tuple),
        losses=st.lists(st.floats(), max_size=5).map(tuple),
        loss_sum=_NUMBERS,
        seconds=_NUMBERS,
    )
)
def test_every_position_survives(tmp_path_factory, position):
    path = tmp_path_factory.getbasetemp() / "position.safetensors"
    checkpoint(position).write(path)
    found = Checkpoint.read(path, "this").position
    assert repr(found) == repr(position)  # losses may be no numbers, and those are equal to nothing


def test_the_position_of_a_training_that_has_no_score_yet_survives(tmp_path):
    checkpoint(Position()).write(tmp_path / "c")
    assert Checkpoint.read(tmp_path / "c", "this").position == Position()


def test_one_of_another_training_is_none_of_this(tmp_path):
    path = tmp_path / "c"
    checkpoint(identity="other").write(path)
    assert Checkpoint.read(path, "this") is None
    assert Checkpoint.read(path, "other") is not None
    checkpoint().write(path)
    assert Checkpoint.read(path, "other") is None


def test_where_there_is_none_there_is_none(tmp_path):
    assert Checkpoint.read(tmp_path / "nowhere", "this") is None
    (tmp_path / "folder").mkdir()
    assert Checkpoint.read(tmp_path / "folder", "this") is None


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "c"
    checkpoint().write(path)
    return path.read_bytes()


def read_of(tmp_path_factory, content: bytes):
    path: Path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(content)
    return Checkpoint.read(path, "this")


@settings(max_examples=settings.default.max_examples, deadline=None)
@given(data=st.data())
def test_a_truncated_file_is_no_checkpoint(tmp_path_factory, content, data):
    assert read_of(tmp_path_factory, content[: data.draw(st.integers(0, len(content) - 1))]) is None


def header_of(content):
    (length,) = struct.unpack("<Q", content[:8])
    return content[8 : 8 + length], content[8 + length :]


def test_a_flipped_bit_anywhere_leaves_no_checkpoint_or_the_one_that_was_written(tmp_path_factory, content):
    """Blanks that fill the header up may become other blanks; nothing else may change unseen."""
    header, _ = header_of(content)
    kept = 0
    for at in range(len(content)):
        if at % (3 if at < 8 + len(header) else 37):
            continue
        damaged = bytearray(content)
        damaged[at] ^= 1 << at % 7
        found = read_of(tmp_path_factory, bytes(damaged))
        if found is not None:
            kept += 1
            assert found.position == POSITION
            alike(found.weights, checkpoint().weights)
    assert kept < 8


@pytest.mark.parametrize(
    "position",
    [
        "no JSON",
        "[]",
        "{}",
        json.dumps({**vars(POSITION), "of another version": 1}),
        json.dumps({**vars(POSITION), "scores": None}),
    ],
)
def test_a_whole_file_of_another_version_is_no_checkpoint_where_its_position_makes_no_sense(tmp_path, position):
    checkpoint().write(tmp_path / "c")
    tensors = load_file(tmp_path / "c")
    notes = {"format_version": FORMAT_VERSION, "identity": "this", "position": position}
    (tmp_path / "c").write_bytes(save(tensors, notes | {"digest": _digest(notes, tensors)}))
    assert Checkpoint.read(tmp_path / "c", "this") is None


def test_foreign_files_are_no_checkpoints(tmp_path_factory):
    for content in (b"", b"no safetensors at all", b"\xff" * 100, struct.pack("<Q", 2) + b"{}"):
        assert read_of(tmp_path_factory, content) is None


def test_where_the_disk_is_full_the_older_one_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "c"
    checkpoint().write(path)

    def full(_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFullError, match="no space left while writing c"):
        checkpoint(Position(step=8)).write(path)
    assert Checkpoint.read(path, "this").position == POSITION
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("notes", [{}, {"format_version": "1"}])
def test_a_checkpoint_of_another_version_is_refused_with_the_line_to_start_again(tmp_path, notes):
    path = tmp_path / "c"
    checkpoint().write(path)
    tensors = load_file(path)
    own = {"identity": "this", "position": json.dumps(vars(POSITION)), **notes}
    path.write_bytes(save(tensors, own | {"digest": _digest(own, tensors)}))
    with pytest.raises(HeadError, match=r"another version of embank.*delete it \(rm .*c\) and give the same command"):
        Checkpoint.read(path, "this")


GOLDEN = {
    "what": "tail",
    "training": TrainingSettings(epochs=3, rate=2e-4),
    "weights": "00ff",
    "texts": ["zwölf Boxkämpfer", ("question", "context")],
    "labels": [("B-city", "O"), None, 0.5],
    "held_back": [True, False],
}


def test_the_identity_of_a_training_is_the_same_in_every_version():
    assert training_identity(GOLDEN) == "fe9fe21be34cfe301a931f74cd54dffe"


@pytest.mark.parametrize("changed", [{"weights": "00fe"}, {"labels": []}, {"training": TrainingSettings(epochs=4)}])
def test_whatever_decides_the_outcome_is_part_of_the_identity(changed):
    assert training_identity({**GOLDEN, **changed}) != training_identity(GOLDEN)


@pytest.mark.parametrize("strange", [object(), {1, 2}, float("nan")])
def test_what_json_cannot_write_is_no_part_of_an_identity(strange):
    with pytest.raises((TypeError, ValueError)):
        training_identity({"strange": strange})
