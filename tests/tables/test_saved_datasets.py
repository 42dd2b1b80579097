"""Folders that Hugging Face `datasets` saved, read without it."""

import json
import subprocess
import sys

import pytest

from embank.errors import InputError
from embank.tables import check, read

datasets = pytest.importorskip("datasets")


@pytest.fixture
def dataset():
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["neg", "pos"]),
            "topics": datasets.Sequence(datasets.ClassLabel(names=["a", "b"])),
        }
    )
    rows = {"text": ["x", "y", "z"], "label": [1, -1, 0], "topics": [[0, 1], [], [1]]}
    return datasets.Dataset.from_dict(rows, features=features)


NAMED = {"text": ["x", "y", "z"], "label": ["pos", None, "neg"], "topics": [["a", "b"], [], ["b"]]}


def test_class_labels_come_through_as_their_names(tmp_path, dataset):
    dataset.save_to_disk(tmp_path / "saved")
    (block,) = read([tmp_path / "saved"], list(NAMED))
    assert (block.columns, block.faults) == (NAMED, {})


def test_class_labels_have_their_names_in_parquet_too(tmp_path, dataset):
    dataset.to_parquet(tmp_path / "t.parquet")
    (block,) = read([tmp_path / "t.parquet"], list(NAMED))
    assert block.columns == NAMED


def test_a_label_without_a_name_is_a_fault(tmp_path, dataset):
    dataset.save_to_disk(tmp_path / "saved")
    stored = json.loads((tmp_path / "saved" / "dataset_info.json").read_text())
    stored["features"]["label"]["names"] = ["neg"]
    (tmp_path / "saved" / "dataset_info.json").write_text(json.dumps(stored))
    (block,) = read([tmp_path / "saved"], ["text", "label"])
    assert (block.columns["text"], block.faults) == ([None, "y", "z"], {0: "label: label 1 has no name among 1"})


def test_several_shards_are_one_source(tmp_path, dataset):
    dataset.save_to_disk(tmp_path / "saved", num_shards=3)
    blocks = list(read([tmp_path / "saved"], ["text"], block_rows=2))
    assert [value for block in blocks for value in block.columns["text"]] == ["x", "y", "z"]
    assert {block.source for block in blocks} == {str(tmp_path / "saved")}
    assert [block.start for block in blocks] == [0, 1, 2]


def test_a_selection_is_saved_in_its_own_order(tmp_path, dataset):
    dataset.select([2, 0]).save_to_disk(tmp_path / "saved")
    (block,) = read([tmp_path / "saved"], ["text"])
    assert block.columns["text"] == ["z", "x"]


def test_all_splits_of_a_dict_are_read_in_its_order(tmp_path, dataset):
    datasets.DatasetDict(train=dataset, test=dataset.select([0])).save_to_disk(tmp_path / "saved")
    blocks = list(read([tmp_path / "saved"], ["text"]))
    assert [(block.source, block.start, len(block)) for block in blocks] == [
        (f"{tmp_path}/saved/train", 0, 3),
        (f"{tmp_path}/saved/test", 0, 1),
    ]


def test_a_missing_column_is_refused(tmp_path, dataset):
    dataset.save_to_disk(tmp_path / "saved")
    with pytest.raises(InputError, match=r"did you mean 'label'\?.*: text, label, topics$"):
        check([tmp_path / "saved"], ["labl"])


def test_a_dataset_without_its_shard_is_refused(tmp_path, dataset):
    dataset.save_to_disk(tmp_path / "saved")
    next((tmp_path / "saved").glob("*.arrow")).unlink()
    with pytest.raises(InputError, match=r"saved cannot be read: No such file or directory: .*\.arrow$"):
        check([tmp_path / "saved"], ["text"])


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "lists no files"),
        ('{"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}', "flatten_indices"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(tmp_path, state, complaint):
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(InputError, match=complaint):
        check([tmp_path], ["text"])


def test_reading_imports_neither_datasets_nor_torch(tmp_path, dataset):
    dataset.save_to_disk(tmp_path / "saved")
    code = (
        "import sys; from embank.tables import read; list(read([sys.argv[1]], ['text']));"
        "print([name for name in ('datasets', 'torch', 'transformers', 'pandas') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "saved"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
