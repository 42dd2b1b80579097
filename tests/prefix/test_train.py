"""A prefix is learned on a frozen encoder, depends on its seed alone, and goes on after a stop bit for bit."""

import numpy as np
import pytest
import torch

from embank.encoders.prefix.folder import (
    EncoderReference,
    create_prefix_folder,
    digest_together,
    drop_prefix,
    put_prefix,
    read_prefix_folder,
)
from embank.errors import EncoderError, UsageError
from embank.prefix.train import PrefixSettings, train_prefix
from material.multitask import opened, settings, sources
from material.tails import LAYERS, WIDTH, save_tiny


def asked(length=4, from_layer=0, *, reparametrise=False, **training):
    loop = settings(**{"rate": 2e-2, **training}).training
    return PrefixSettings(training=loop, length=length, from_layer=from_layer, reparametrise=reparametrise)


def equal(one, other):
    return np.array_equal(one.keys, other.keys) and np.array_equal(one.values, other.values)


@pytest.mark.parametrize("name", ["mood", "topics", "size", "tags", "together", "apart"])
def test_every_kind_of_source_teaches_a_prefix_and_the_encoder_stays_as_it_is(folder, name):
    encoder = opened(folder)
    before = {key: tensor.clone() for key, tensor in encoder.model.state_dict().items()}
    trained = train_prefix(encoder, sources(name)[0], asked())
    assert trained.keys.shape == trained.values.shape == (LAYERS, 4, WIDTH)
    assert trained.source.name == name
    assert len(trained.passes) == 2
    after = encoder.model.state_dict()
    assert all(torch.equal(tensor, after[key]) for key, tensor in before.items())
    assert not encoder.model.training


@pytest.mark.parametrize("reparametrise", [False, True])
def test_a_source_is_learned(folder, reparametrise):
    given = asked(epochs=8, patience=8, reparametrise=reparametrise, rate=5e-3 if reparametrise else 2e-2)
    trained = train_prefix(opened(folder), sources("mood")[0], given)
    assert trained.source.score > trained.source.guess


def test_a_prefix_may_begin_above_a_cut(folder):
    trained = train_prefix(opened(folder), sources("mood")[0], asked(from_layer=3))
    assert trained.keys.shape == (1, 4, WIDTH)
    with pytest.raises(UsageError, match="has no layer"):
        train_prefix(opened(folder), sources("mood")[0], asked(from_layer=4))


def test_the_same_seed_gives_the_same_prefix_and_another_seed_another(folder):
    def made(seed):
        return train_prefix(opened(folder), sources("mood")[0], asked(seed=seed, epochs=1))

    first = made(1)
    assert equal(first, made(1))
    assert not equal(first, made(2))


class Stopped(Exception):  # noqa: N818 - a kill is no error
    """The training was killed."""


@pytest.mark.parametrize("reparametrise", [False, True])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(folder, tmp_path, reparametrise):
    given = asked(epochs=3, reparametrise=reparametrise)
    whole = train_prefix(opened(folder), sources("mood")[0], given)
    checkpoint = tmp_path / "checkpoint.safetensors"

    def stop(now):
        if now.epoch == 2:
            raise Stopped

    with pytest.raises(Stopped):
        train_prefix(opened(folder), sources("mood")[0], given, checkpoint, stop)
    resumed = train_prefix(opened(folder), sources("mood")[0], given, checkpoint)
    assert resumed.resumed
    assert equal(resumed, whole)
    assert resumed.passes == whole.passes


def test_a_family_that_takes_no_prefixes_is_refused(tmp_path):
    folder = save_tiny(tmp_path / "tiny", "fnet")
    with pytest.raises(UsageError, match="take no prefixes"):
        train_prefix(opened(folder), sources("mood")[0], asked())


def reference(combine="apart"):
    return EncoderReference(encoder="minilm", weights="w", tokenizer="t", layers=LAYERS, width=WIDTH, combine=combine)


@pytest.fixture
def trunk(tmp_path):
    path = tmp_path / "trunk"
    create_prefix_folder(path, reference())
    return path


def arrays(seed):
    random = np.random.default_rng(seed)
    return tuple(random.standard_normal((LAYERS, 3, WIDTH)).astype(np.float32) for _ in range(2))


def test_a_trunk_gives_back_what_was_put(trunk):
    put_prefix(trunk, "mood", arrays(0), 0, {"score": 1.0})
    found = read_prefix_folder(trunk)
    assert found.reference == reference("apart")
    assert found.named("mood").record == {"score": 1.0}
    for one, other in zip(found.named("mood").arrays(), arrays(0), strict=True):
        np.testing.assert_array_equal(one, other)


def test_adding_replacing_and_removing_touch_no_other_prefix(trunk):
    put_prefix(trunk, "a.b", arrays(0), 0, {})
    before = {file.name: file.read_bytes() for file in (trunk / "prefixes").iterdir()}
    put_prefix(trunk, "c", arrays(1), 0, {})
    put_prefix(trunk, "c", arrays(2), 0, {})
    drop_prefix(trunk, "c")
    assert {file.name: file.read_bytes() for file in (trunk / "prefixes").iterdir()} == before


def test_the_digest_of_a_set_knows_neither_names_nor_order(trunk):
    one, other = put_prefix(trunk, "a", arrays(0), 0, {}), put_prefix(trunk, "b", arrays(1), 0, {})
    assert digest_together([one, other]) == digest_together([other, one])
    assert digest_together([one]) == one.digest
    assert put_prefix(trunk, "c", arrays(0), 0, {}).digest == one.digest
    assert len({digest_together(part) for part in ([one], [other], [one, other])}) == 3


def test_damage_and_wrong_names_are_refused(trunk):
    stored = put_prefix(trunk, "a", arrays(0), 0, {})
    other = put_prefix(trunk, "b", arrays(1), 0, {})
    stored.path.write_bytes(other.path.read_bytes())
    with pytest.raises(EncoderError, match="another prefix"):
        stored.arrays()
    with pytest.raises(UsageError, match="no prefix 'x'; it has: a, b"):
        drop_prefix(trunk, "x")
    for name in ("together", "a/b", ""):
        with pytest.raises(UsageError, match="no name"):
            put_prefix(trunk, name, arrays(0), 0, {})
    with pytest.raises(UsageError, match="exists and is no prefix folder"):
        create_prefix_folder(trunk, reference())


def test_the_digests_of_prefixes_and_sets_are_those_of_every_version(trunk):
    """They name columns: another digest would be another column."""
    keys = np.arange(LAYERS * 3 * WIDTH, dtype=np.float32).reshape(LAYERS, 3, WIDTH)
    one, other = (put_prefix(trunk, name, (keys * sign, keys), 0, {}) for name, sign in (("a", 1), ("b", -1)))
    assert (one.digest, digest_together([one, other])) == (
        "08ae4990cb066ebe8cc5e7741007d883",
        "b91202a2602ad4cf481c17224bd943d6",
    )
