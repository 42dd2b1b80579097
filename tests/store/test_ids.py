"""Names of texts as columns: one type over the whole bank."""

import numpy as np
import pyarrow as pa

from embank.store.folder import Store
from embank.store.ids import TextNames, given_ids


def bank(path, ids):
    """A bank of as many texts as ids; None for a text without one."""
    store = Store.create(path)
    with store.writer() as writer, store.catalogue.transaction():
        assert writer is not None
        store.catalogue.add_texts([bytes([number]) * 16 for number in range(len(ids))])
        store.catalogue.set_ids([(name, number) for number, name in enumerate(ids) if name is not None])
    return store


def test_ids_are_whole_numbers_where_all_of_the_bank_are(tmp_path):
    with bank(tmp_path / "a", [7, 5, 6]) as store:
        assert TextNames(store).first_of(np.array([2, 0])).equals(pa.array([6, 7], pa.int64()))


def test_ids_of_some_texts_have_the_type_that_those_of_the_whole_bank_have(tmp_path):
    with bank(tmp_path / "a", [7, "b", 6]) as store:
        assert TextNames(store).first_of(np.array([2, 0])).equals(pa.array(["6", "7"]))
    with bank(tmp_path / "b", [7, None, 6]) as store:
        names = TextNames(store)
        assert names.first_of(np.array([2, 0])).equals(pa.array(["6", "7"]))
        assert names.first_of(np.array([1])).equals(pa.array([(b"\x01" * 16).hex()]))


def test_a_text_with_two_ids_has_two_rows(tmp_path):
    with bank(tmp_path / "a", [7, 5, 6]) as store:
        with store.writer(), store.catalogue.transaction():
            store.catalogue.set_ids([(4, 1)])
        owners, ids = TextNames(store).rows_of(np.array([0, 1, 2]))
        assert owners.tolist() == [0, 1, 1, 2]
        assert ids.equals(pa.array([7, 4, 5, 6], pa.int64()))
        owners, ids = TextNames(store).rows_of(np.array([2, 2]))
        assert owners.tolist() == [0, 1]
        assert ids.to_pylist() == [6, 6]


def test_ids_that_the_user_gave_keep_their_type():
    assert given_ids([1, None, 3]).equals(pa.array([1, None, 3], pa.int64()))
    assert given_ids([1, "b", None]).equals(pa.array(["1", "b", None]))
