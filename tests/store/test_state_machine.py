"""Whatever is done to a bank, in whatever order, it stays equal to a dictionary of columns and texts."""

import shutil
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from embank.store.compaction import forget_texts, merge_small
from embank.store.folder import Store
from embank.store.verify import verify
from embank.store.writing import Addition
from store.material import add, files, keys, rows

NAMES = ("fake/0/mean@float32", "fake/1/mean@float32", "fake/2/mean@float32")
DATA = st.data()


class StoreAgainstDictionary(RuleBasedStateMachine):
    """A store beside a dictionary: column to text to the salt of its row."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="embank-machine-"))
        self.store = Store.create(self.root / "bank")
        self.columns: dict[str, dict[int, int]] = {}
        self.numbers: dict[int, int] = {}  # what a text is called here: its number in the bank
        self.ids: dict[int, int] = {}
        self.called = self.salt = 0

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.root)

    @initialize()
    def first_column(self):
        with self.store.writer() as writer:
            add(writer, NAMES[0])
        self.columns[NAMES[0]] = {}

    @precondition(lambda self: len(self.columns) < len(NAMES))
    @rule(data=DATA)
    def add_column(self, data):
        name = data.draw(st.sampled_from([name for name in NAMES if name not in self.columns]))
        with self.store.writer() as writer:
            add(writer, name)
        self.columns[name] = {}

    @precondition(lambda self: len(self.columns) == len(NAMES))
    @rule(name=st.sampled_from(NAMES))
    def drop_column(self, name):
        if name in self.columns:
            with self.store.writer() as writer:
                writer.drop_column(name)
            del self.columns[name]

    @rule(data=DATA, count=st.integers(1, 30), times=st.sampled_from([1, 2, 12]))
    def append_new_texts(self, data, count, times):
        names = data.draw(st.sets(st.sampled_from(sorted(self.columns)))) if self.columns else set()
        for _ in range(times):
            new = list(range(self.called, self.called + count))
            self.called += count
            self.salt += 1
            named = [(offset, data.draw(st.integers(0, 20))) for offset in (0, count - 1)]
            with self.store.writer() as writer:
                given = {name: rows(new, self.salt) for name in names}
                numbers = writer.append(Addition(keys=keys(new), rows=given, ids=named))
            self.numbers |= dict(zip(new, numbers.tolist(), strict=True))
            self.ids |= {name: new[offset] for offset, name in named}
            for name in names:
                self.columns[name] |= dict.fromkeys(new, self.salt)

    @precondition(lambda self: self.columns and self.numbers)
    @rule(data=DATA)
    def append_a_column_for_known_texts(self, data):
        name = data.draw(st.sampled_from(sorted(self.columns)))
        lacking = sorted(set(self.numbers) - set(self.columns[name]))
        if not lacking:
            return
        chosen = data.draw(st.lists(st.sampled_from(lacking), min_size=1, unique=True))
        chosen.sort(key=self.numbers.__getitem__)
        self.salt += 1
        known = np.array([self.numbers[text] for text in chosen], np.int64)
        with self.store.writer() as writer:
            writer.append(Addition(known=known, rows={name: rows(chosen, self.salt)}))
        self.columns[name] |= dict.fromkeys(chosen, self.salt)

    @precondition(lambda self: self.numbers)
    @rule(data=DATA)
    def forget(self, data):
        gone = data.draw(st.sets(st.sampled_from(sorted(self.numbers)), min_size=1, max_size=20))
        with self.store.writer() as writer:
            readers = [self.store.reader(name) for name in self.columns]
            forget_texts(writer, readers, np.array(sorted(self.numbers[text] for text in gone), np.int64))
        for text in gone:
            del self.numbers[text]
            for column in self.columns.values():
                column.pop(text, None)
        self.ids = {name: text for name, text in self.ids.items() if text not in gone}

    @precondition(lambda self: self.columns)
    @rule(name=st.sampled_from(NAMES))
    def merge(self, name):
        if name in self.columns:
            with self.store.writer() as writer, mock.patch("embank.store.compaction.MANY", 1):
                merge_small(writer, self.store.reader(name))

    @rule()
    def reopen(self):
        self.store.close()
        self.store = Store(self.root / "bank")

    @precondition(lambda self: any(self.columns.values()))
    @rule(data=DATA)
    def gather_in_any_order_with_repeats(self, data):
        name = data.draw(st.sampled_from([name for name, column in sorted(self.columns.items()) if column]))
        column = self.columns[name]
        asked = data.draw(st.lists(st.sampled_from(sorted(column)), max_size=40))
        numbers = np.array([self.numbers[text] for text in asked], np.int64)
        found = self.store.reader(name).gather(numbers)
        expected = [rows([text], column[text]) for text in asked]
        np.testing.assert_array_equal(found, np.concatenate([np.empty((0, 4), "<f4"), *expected]))

    @invariant()
    def columns_cover_what_the_dictionary_has(self):
        assert set(self.store.catalogue.columns()) == set(self.columns)
        everything = sorted(self.numbers, key=self.numbers.__getitem__)
        numbers = np.array([self.numbers[text] for text in everything], np.int64)
        for name, column in self.columns.items():
            reader = self.store.reader(name)
            covered = [text for text in everything if text in column]
            assert reader.covered().tolist() == [self.numbers[text] for text in covered]
            assert reader.has(numbers).tolist() == [text in column for text in everything]
            assert [int(n) for part in reader.blocks(7) for n in part] == reader.covered().tolist()
            expected = [rows([text], column[text]) for text in covered]
            if covered:
                np.testing.assert_array_equal(reader.gather(reader.covered()), np.concatenate(expected))

    @invariant()
    def texts_and_ids_are_found(self):
        asked = range(self.called)
        found = self.store.catalogue.lookup(keys(asked))
        assert found.tolist() == [self.numbers.get(text, -1) for text in asked]
        wanted = {name: self.numbers[text] for name, text in self.ids.items()}
        assert self.store.catalogue.texts_of_ids(list(range(21))) == wanted

    @invariant()
    def nothing_is_damaged_and_nothing_is_left_over(self):
        assert verify(self.store) == []
        parts = [part.file for segment in self.store.catalogue.segments() for part in segment.parts]
        assert len(files(self.root / "bank" / "columns")) == len(parts)


TestStoreAgainstDictionary = StoreAgainstDictionary.TestCase
TestStoreAgainstDictionary.settings = settings(
    max_examples=settings.default.max_examples // 5,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
