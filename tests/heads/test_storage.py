"""A head in a folder: it comes back as it was, without pickle, and newer files are refused."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.errors import HeadError
from embank.heads import Affine
from embank.heads.served import ServedHead
from embank.heads.storage import load_head, pack_head


def save_head(head, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pack_head(head).items():
        (folder / name).write_bytes(content)


def head_of(kind, outputs, layers, seed=0):
    rng = np.random.default_rng(seed)
    widths = (3, outputs) if layers == 1 else (3, 4, outputs)
    maps = tuple(
        Affine(rng.normal(size=(a, b)).astype(np.float32), rng.normal(size=b).astype(np.float32))
        for a, b in pairwise(widths)
    )
    labels = () if kind == "regression" else tuple(f"label {number}" for number in range(outputs))
    return ServedHead(
        kind=kind,
        labels=labels,
        layers=maps,
        temperature=1.25,
        offsets=() if kind == "regression" else tuple(rng.normal(size=outputs)),
    )


@pytest.mark.parametrize(("kind", "outputs"), [("single", 3), ("multi", 2), ("regression", 1)])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_head_survives_a_round_trip_through_disk(tmp_path, kind, outputs, layers):
    head = head_of(kind, outputs, layers)
    save_head(head, tmp_path / "deep" / "folder")
    found = load_head(tmp_path / "deep" / "folder")
    assert (found.kind, found.labels, found.temperature) == (head.kind, head.labels, head.temperature)
    assert found.offsets == head.offsets
    for one, other in zip(found.layers, head.layers, strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)
        np.testing.assert_array_equal(one.bias, other.bias)


@settings(max_examples=settings.default.max_examples // 4, deadline=None)
@given(
    labels=st.lists(st.text(min_size=1).filter(lambda name: name.isprintable()), min_size=2, max_size=5, unique=True)
)
def test_any_printable_label_survives(tmp_path_factory, labels):
    layer = Affine(np.ones((2, len(labels)), np.float32), np.zeros(len(labels), np.float32))
    folder = tmp_path_factory.mktemp("head")
    save_head(ServedHead(kind="single", labels=tuple(labels), layers=(layer,)), folder)
    assert load_head(folder).labels == tuple(labels)


def test_the_description_has_these_keys_in_format_version_1(tmp_path):
    layer = Affine(np.ones((2, 2), np.float32), np.zeros(2, np.float32))
    save_head(
        ServedHead(kind="single", labels=("no", "yes"), layers=(layer,), temperature=1.5, offsets=(0.0, 0.25)), tmp_path
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head.json", "head.safetensors"]
    assert json.loads((tmp_path / "head.json").read_text()) == {
        "format_version": 1,
        "kind": "single",
        "labels": ["no", "yes"],
        "layers": 1,
        "temperature": 1.5,
        "offsets": [0.0, 0.25],
        "notes": {},
    }


def test_saving_again_replaces_the_head(tmp_path):
    save_head(head_of("single", 3, 2), tmp_path)
    save_head(head_of("multi", 2, 1), tmp_path)
    assert load_head(tmp_path).kind == "multi"


def broken(folder, **changes):
    path = folder / "head.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_newer_format_version_is_refused(tmp_path):
    save_head(head_of("single", 3, 1), tmp_path)
    broken(tmp_path, format_version=2)
    with pytest.raises(HeadError, match="format version 2"):
        load_head(tmp_path)


@pytest.mark.parametrize("changes", [{"layers": 2}, {"labels": ["a"]}, {"temperature": "hot"}, {"layers": None}])
def test_a_description_that_does_not_fit_the_weights_is_refused(tmp_path, changes):
    save_head(head_of("single", 3, 1), tmp_path)
    broken(tmp_path, **changes)
    with pytest.raises(HeadError):
        load_head(tmp_path)


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_a_missing_or_cut_file_is_refused(tmp_path, name):
    save_head(head_of("single", 3, 1), tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(HeadError):
        load_head(tmp_path)
    path.unlink()
    with pytest.raises(HeadError):
        load_head(tmp_path)
