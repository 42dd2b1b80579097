"""Files and folders are whole or absent."""

import numpy as np
import pytest

from embank.atomic import npy_pieces, whole_file, whole_folder, write_durably


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with whole_file(path) as partial:
        partial.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert left(tmp_path) == ["a"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_what_is_interrupted_leaves_the_old_file_and_no_rest(tmp_path, stop):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write():
        with whole_file(path) as partial:
            partial.write_bytes(b"ne")
            raise stop

    with pytest.raises(stop):
        write()
    assert path.read_bytes() == b"old"
    assert left(tmp_path) == ["a"]


def test_a_folder_takes_its_name_when_all_in_it_is_written(tmp_path):
    def half():
        with whole_folder(tmp_path / "a") as begun:
            begun.mkdir()
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised just above
        half()
    assert not (tmp_path / "a").exists()
    with whole_folder(tmp_path / "a") as begun:
        (begun / "b").mkdir(parents=True)
        (begun / "b" / "c").write_bytes(b"c")
    assert left(tmp_path) == ["a"]
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"c"


def test_an_array_is_written_as_numpy_reads_it(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    size, _ = write_durably(tmp_path / "a.npy", *npy_pieces(array))
    assert size == (tmp_path / "a.npy").stat().st_size
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)
