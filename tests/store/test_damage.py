"""Whatever is broken is found and named: one kind of damage or one error, which says where, and nothing else."""

import json
import random
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from safetensors.numpy import save

from embank.codecs import calibrate
from embank.errors import BankError, BankExistsError, BankLockedError, DamageError, FormatError, NotABankError
from embank.store import FORMAT_VERSION
from embank.store.files import map_array
from embank.store.folder import Store
from embank.store.vectors import codec_of, vectors
from embank.store.verify import verify
from embank.store.writing import Addition
from material.seeds import seeds
from store.material import add, append, column, copied, files, flip, keys, rows

ONE, TWO, SMALL = "fake/1/mean@float32", "fake/2/mean@float32", "fake/3/mean@int8"
KINDS = ("rows", "texts", "calibration", "head")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A bank with every kind of file."""
    root = tmp_path_factory.mktemp("template") / "bank"
    exact = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    codec = calibrate("int8", exact)
    with Store.create(root) as store, store.writer() as writer:
        add(writer, ONE)
        add(writer, TWO)
        writer.add_column(column(SMALL, "|i1", 4, codec.calibration_digest), save(codec.calibration()))
        texts = append(writer, {ONE: 1}, range(60), ids=[(at, f"id {at}") for at in range(60)])
        writer.append(Addition(known=texts, rows={SMALL: codec.encode(exact)}))
        writer.append(Addition(known=texts[::3], rows={TWO: rows(texts[::3], 2)}))
        writer.append(Addition(keys=keys(range(60, 600)), bodies=[(at, b"body") for at in range(540)]))
        writer.set_task("topic", {"columns": [ONE]}, {"head.json": b'{"kind": "single"}', "head.safetensors": b"abc"})
    return root


@pytest.fixture
def root(template, tmp_path):
    """A copy to break."""
    return copied(template, tmp_path / "bank")


def part(root, kind):
    """The file of that kind, and its path below the bank."""
    with Store(root) as store:
        segments = {part.name: part.file for segment in store.catalogue.segments() for part in segment.parts}
        name = {
            "rows": segments["rows"],
            "texts": segments["texts"],
            "calibration": store.column(SMALL).calibration.file,
            "head": store.catalogue.tasks()["topic"].parts[0].file,
        }[kind]
    return root / name, name


def damage(root):
    with Store(root) as store:
        return [(found.kind, found.where) for found in verify(store)]


def used(root):
    """Ask a bank for all that it has."""
    with Store(root) as store:
        catalogue = store.catalogue
        catalogue.lookup(keys(range(100)))
        catalogue.texts_of_ids(["id 3"])
        catalogue.ids_between(0, 100)
        catalogue.ids_are_whole_numbers()
        catalogue.numbered_keys()
        catalogue.encoders()
        catalogue.tasks()
        catalogue.faults()
        list(catalogue.bodies())
        for name, entered in catalogue.columns().items():
            reader = store.reader(name)
            codec_of(store, entered).decode(reader.gather(reader.covered()))
            for block in reader.blocks(7):
                reader.gather(block)


def test_a_whole_bank_has_no_damage(root):
    assert damage(root) == []
    used(root)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [400, pytest.param(100_000, marks=pytest.mark.faults)])
def test_every_flipped_bit_is_found(root, kind, most):
    path, name = part(root, kind)
    content = path.read_bytes()
    every = [(byte, bit) for byte in range(len(content)) for bit in range(8)]
    chosen = random.Random(kind).sample(every, min(len(every), most))
    with Store(root) as store:
        for byte, bit in chosen:
            flip(path, byte, bit)
            assert [(found.kind, found.where) for found in verify(store)] == [("digest", name)], (byte, bit)
            path.write_bytes(content)
        assert verify(store) == []


@pytest.mark.parametrize("kind", ["rows", "texts", "calibration"])
def test_a_flipped_bit_that_is_met_while_reading_is_damage_or_goes_unseen(root, kind):
    """Reading checks no digest; it must not fail in any other way, and never hands out rows of another shape."""
    path, _ = part(root, kind)
    content = path.read_bytes()
    met = 0
    with Store(root) as store:
        for byte in range(len(content)):
            flip(path, byte, byte % 8)
            flip(path, byte, (byte + 3) % 8)
            try:
                for name in (ONE, TWO, SMALL):
                    found = vectors(store, [name], store.reader(name).covered())
                    assert found.shape == (20 if name == TWO else 60, 4)
            except DamageError:
                met += 1
            path.write_bytes(content)
    assert met > 50


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [0, 1, 100, -1])
def test_a_file_that_was_cut_short_is_named(root, kind, left):
    path, name = part(root, kind)
    path.write_bytes(path.read_bytes()[:left] if kind != "head" or left < 1 else b"")
    assert damage(root) == [("truncated", name)]
    if kind != "head":
        with pytest.raises(DamageError, match="embank verify"):
            used(root)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_grew_is_named(root, kind):
    path, name = part(root, kind)
    path.write_bytes(path.read_bytes() + b"\0")
    assert damage(root) == [("truncated", name)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_gone_is_named(root, kind):
    path, name = part(root, kind)
    path.unlink()
    assert damage(root) == [("missing", name)]
    if kind != "head":
        with pytest.raises(DamageError, match=r"(columns/|column fake/).*embank verify"):
            used(root)


def test_a_folder_where_a_file_should_be_is_named(root):
    path, name = part(root, "rows")
    path.unlink()
    path.mkdir()
    assert [where for _, where in damage(root)] == [name]
    with pytest.raises(DamageError):
        used(root)


def test_all_the_damage_is_listed_not_the_first_of_it(root):
    names = []
    for kind in KINDS:
        path, name = part(root, kind)
        flip(path, 10, 1)
        names.append(("digest", name))
    assert sorted(damage(root)) == sorted(names)


def test_rows_that_belong_to_no_text_are_found(root):
    with Store(root) as store, store.catalogue.transaction():
        store.catalogue.drop_texts([3, 4])
    assert damage(root) == [("unreachable", ONE), ("unreachable", TWO), ("unreachable", SMALL)]


def test_two_rows_for_one_text_are_found_and_not_handed_out(root):
    with Store(root) as store:
        first = store.catalogue.segments(store.column(ONE).number)[0]
        with store.catalogue.transaction():
            twin = type(first)(**{**vars(first), "number": store.catalogue.next_segment()})
            store.catalogue.add_segment(twin)
        assert [(found.kind, found.where) for found in verify(store)] == [("unreachable", ONE)]
        with pytest.raises(DamageError, match=ONE):
            store.reader(ONE).gather(np.array([5, 3]))


def test_an_id_that_points_to_no_text_does_not_hide_the_others(root):
    with Store(root) as store, store.catalogue.transaction():
        store.catalogue.set_ids([("lost", 9999)])
    assert damage(root) == []
    used(root)


def test_texts_with_numbers_that_cannot_be_are_found(root):
    for change in ("UPDATE texts SET text = 1 WHERE text = 500", "UPDATE texts SET text = 9999 WHERE text = 501"):
        with closing(sqlite3.connect(root / "catalogue.sqlite")) as connection, connection:
            connection.execute(change)
        assert ("catalogue", "texts") in damage(root)


def test_rows_of_another_shape_than_the_catalogue_says_are_found(root):
    path, name = part(root, "rows")
    with Store(root) as store:
        column = next(column for column in store.catalogue.columns().values() if name.startswith(column.folder))
        with store.catalogue.transaction():
            change = "UPDATE columns SET cells = 5 WHERE number = ?"
            store.catalogue._connection.execute(change, (column.number,))
        assert [(found.kind, found.where) for found in verify(store)] == [("unreadable", name)]
        with pytest.raises(DamageError, match=path.name):
            store.reader(column.name).gather(np.arange(3))


@pytest.mark.parametrize("seed", seeds(60, faults=3000))
def test_garbage_in_the_catalogue_gives_one_error_of_the_bank_or_no_wrong_row(root, template, seed):
    draw = random.Random(seed)
    path = root / "catalogue.sqlite"
    content = bytearray(path.read_bytes())
    size = draw.choice([1, 8, 100, 4096])
    start = draw.randrange(draw.choice([100, 4096, len(content) - size]))
    content[start : start + size] = draw.randbytes(size)
    path.write_bytes(content)
    try:
        found = damage(root)
    except BankError as error:
        assert "catalogue.sqlite" in str(error)  # noqa: PT017 - it may also be raised by nothing
        return
    if found:
        assert {kind for kind, _ in found} <= {
            "catalogue",
            "missing",
            "truncated",
            "digest",
            "unreadable",
            "unreachable",
        }
    try:
        used(root)
    except BankError as error:
        assert "catalogue.sqlite" in str(error) or "column" in str(error)  # noqa: PT017 - as above


@pytest.mark.parametrize("left", [0, 10, 100, 4096, 9000, -1, -4096])
def test_a_catalogue_that_was_cut_short_is_named(root, left):
    path = root / "catalogue.sqlite"
    path.write_bytes(path.read_bytes()[:left])
    try:
        assert {kind for kind, where in damage(root) if where == "catalogue.sqlite"} == {"catalogue"}
    except NotABankError as error:
        assert "catalogue.sqlite" in str(error)  # noqa: PT017 - a bank that cannot even be opened
    if left != -1:  # SQLite takes the last byte for a zero
        with pytest.raises(BankError, match=r"catalogue\.sqlite"):
            used(root)


def test_a_catalogue_whose_pages_were_overwritten_is_named(root):
    path = root / "catalogue.sqlite"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = random.Random(0).randbytes(4096)
    path.write_bytes(content)
    assert {where for kind, where in damage(root) if kind == "catalogue"} == {"catalogue.sqlite"}


def test_a_catalogue_that_is_gone_makes_a_folder_no_bank(root):
    (root / "catalogue.sqlite").unlink()
    with pytest.raises(NotABankError, match=r"no catalogue\.sqlite"):
        Store(root)


@pytest.mark.parametrize("change", [
    "UPDATE columns SET recipe = '{'", "UPDATE columns SET recipe = '{}'", "UPDATE columns SET recipe = x'ff00'",
    "UPDATE columns SET calibration = '[]'", "UPDATE segments SET parts = '[{}]'", "UPDATE segments SET parts = '7'",
    "UPDATE segments SET parts = '[]'", "UPDATE tasks SET record = 'x'", "UPDATE segments SET first = 'x'",
    "UPDATE encoders SET reading = '{}'", "DELETE FROM settings", "UPDATE settings SET value = 'x'",
    "UPDATE texts SET key = x'00' WHERE text = 3", "UPDATE texts SET text = 'x' WHERE text = 3", "DROP TABLE texts",
])  # fmt: skip
def test_entries_that_cannot_be_read_are_damage_of_the_catalogue(root, change):
    with Store(root) as store, store.catalogue.transaction():
        store.catalogue._connection.execute("INSERT INTO encoders VALUES ('fake', '{\"weights\": \"w\"}', '{}')")
    with closing(sqlite3.connect(root / "catalogue.sqlite")) as connection, connection:
        connection.execute(change)
    if "encoders" not in change:
        assert ("catalogue", "catalogue.sqlite") in damage(root)
    if "settings" not in change:
        with pytest.raises(DamageError, match=r"catalogue\.sqlite"):
            used(root)


def test_a_catalogue_of_a_newer_version_is_refused(root):
    with closing(sqlite3.connect(root / "catalogue.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    with pytest.raises(FormatError, match=rf"catalogue\.sqlite has format version {FORMAT_VERSION + 1}.*upgrade"):
        Store(root)


def test_a_mark_of_a_newer_version_is_refused(root):
    (root / "embank.json").write_text(json.dumps({"format": FORMAT_VERSION + 1, "and": "more"}))
    with pytest.raises(FormatError, match=rf"embank\.json has format version {FORMAT_VERSION + 1}.*upgrade"):
        Store(root)


@pytest.mark.parametrize(
    "mark",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b"{}",
        b'{"format": null}',
        b'{"format": "x"}',
        b"\xff\xfe",
        b'{"format": 0}',
        b'{"format": Infinity}',
        b'{"format": []}',
    ],
)
def test_a_damaged_mark_is_named(root, mark):
    (root / "embank.json").write_bytes(mark)
    with pytest.raises(NotABankError, match=r"embank\.json is damaged"):
        Store(root)


def test_a_folder_without_a_mark_is_no_bank(root, tmp_path):
    (root / "embank.json").unlink()
    with pytest.raises(NotABankError, match=r"it has no embank\.json"):
        Store(root)
    with pytest.raises(NotABankError, match="there is no bank at"):
        Store(tmp_path / "nowhere")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(NotABankError, match=r"file is not a bank"):
        Store(tmp_path / "file")


def test_a_bank_is_not_made_over_a_bank(root):
    before = {path: path.read_bytes() for path in files(root)}
    with pytest.raises(BankExistsError, match="is a bank already"):
        Store.create(root)
    assert {path: path.read_bytes() for path in files(root)} == before


@pytest.mark.parametrize("name", ["notes.txt", "columns/letter.txt", "tasks/today/list.txt", "lock", "columns"])
def test_a_bank_is_not_made_over_something_else(tmp_path, name):
    """`columns` and `tasks` are names that others use too: a writer would clear away what lies there."""
    path = tmp_path / "place" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(NotABankError, match="place is in use by something else"):
        Store.create(tmp_path / "place")
    with pytest.raises(NotABankError, match="is in use by something else"):
        Store.create(path)
    assert path.read_text() == "mine"
    assert files(tmp_path) == [path]


def test_a_bank_is_made_in_an_empty_folder_and_below_folders_that_are_not_there(tmp_path):
    for root in (tmp_path, tmp_path / "a" / "b" / "c"):
        with Store.create(root) as store:
            assert verify(store) == []


def test_a_catalogue_that_another_program_keeps_locked_is_named(store):
    store.catalogue._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(store.root / "catalogue.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with store.writer() as writer, pytest.raises(BankLockedError, match=r"catalogue\.sqlite"):
            writer.append(Addition(keys=keys(range(3))))
    with store.writer() as writer:
        append(writer, {}, range(3))


def test_a_header_of_an_array_with_any_bit_flipped_is_damage_or_an_array(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, np.arange(12, dtype="<f4").reshape(3, 4))
    content = path.read_bytes()
    for at in range(128 * 8):
        broken = bytearray(content)
        broken[at // 8] ^= 1 << at % 8
        path.write_bytes(broken)
        try:
            assert isinstance(map_array(path), np.ndarray)
        except DamageError as error:
            assert "array.npy" in str(error)  # noqa: PT017 - most bits, not all
