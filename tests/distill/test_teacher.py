"""The whole way: a teacher is banked once, its student distilled, and what the teacher read searched with its queries."""

import numpy as np
import pytest

import embank
from embank.distill.folder import SPACE, read_space
from embank.distill.teacher import DistilledFrom, Teacher, distil
from embank.errors import EncoderChangedError, EncoderError, UsageError
from embank.linalg.cosine import unit
from embank.search.queries import encoder_vectors
from material.distill import TEXTS, Stopped, settings
from material.tails import options, save_tiny, texts_of


@pytest.fixture
def distilled(tmp_path, folder):
    """A bank with the teacher's vectors, and a student of three of its layers."""
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        lesson = Teacher(bank.session).prepare([*TEXTS, TEXTS[0], None, 3], DistilledFrom(str(folder), "3"))
        assert len(lesson.texts) == len(TEXTS)
        distil(lesson, settings(epochs=8), tmp_path / "small")
        yield bank, tmp_path / "small"


def test_stored_vectors_of_the_teacher_are_searched_with_the_students_queries(distilled):
    bank, small = distilled
    column = bank.fill_student_space(small, codec="float32")
    assert column.startswith("small-teacher-")
    mapped, own = bank.vectors(column), encoder_vectors(small, TEXTS, options())
    space, _ = read_space(small)
    np.testing.assert_allclose(mapped, space(bank.vectors("tiny/4/mean@float16")), atol=1e-5)
    true, turned = (unit(mapped) * unit(own)).sum(axis=1), (unit(mapped) * unit(own)[:, ::-1]).sum(axis=1)
    assert true.mean() > 0.8 > turned.mean()
    found = bank.search(own[:10], embank.SearchSettings(k=5, column=column)).to_pylist()
    assert len(found) == 50
    assert bank.fill_student_space(small, codec="float32") == column


def test_texts_that_were_banked_later_are_mapped_when_it_is_filled_again(distilled):
    bank, small = distilled
    column = bank.fill_student_space(small, "tiny/4/mean@float16", codec="float16")
    bank.encode(texts_of(5, 500))
    assert bank.vectors(column).shape == (120, 8)
    assert bank.fill_student_space(small, codec="float16") == column
    assert bank.vectors(column).shape == (125, 8)


def test_only_the_teachers_own_vectors_are_mapped(distilled, folder):
    bank, small = distilled
    bank.encode(TEXTS[:30], columns=["tiny/2/mean@float16", "tiny/4/mean@int8"])
    with pytest.raises(UsageError, match="tiny/2/mean@float16 holds other vectors than the student was distilled from"):
        bank.fill_student_space(small, "tiny/2/mean@float16")
    assert bank.fill_student_space(small, "tiny/4/mean@int8")  # another precision of the same vectors
    with pytest.raises(EncoderError, match="no distilled student: it has no teacher_projection"):
        bank.fill_student_space(folder)
    (small / SPACE).write_bytes(b"harm")
    with pytest.raises(EncoderError, match="cannot be read"):
        bank.fill_student_space(small)


def test_a_bank_without_the_teacher_is_told_so(distilled, tmp_path):
    _, small = distilled
    with embank.Bank.create(tmp_path / "other", options()) as bank:
        bank.put(TEXTS[:2], np.ones((2, 4), np.float32), "mine/0/own@float32")
        with pytest.raises(UsageError, match="no column of the teacher's vectors.*it has: mine/0/own@float32"):
            bank.fill_student_space(small)


def test_the_teachers_vectors_are_banked_once(tmp_path, folder):
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        Teacher(bank.session).prepare(TEXTS[:30], DistilledFrom(str(folder)))
        seen = []
        lesson = Teacher(bank.session).prepare(TEXTS[:40], DistilledFrom(str(folder)), seen.append)
        assert (seen[-1].known, seen[-1].new) == (30, 10)
        assert lesson.origins.layers == (0, 1, 2)


def test_another_encoder_of_the_teachers_name_is_refused(tmp_path, folder):
    other = save_tiny(tmp_path / "tiny", seed=8)
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        Teacher(bank.session).prepare(TEXTS[:30], DistilledFrom(str(folder)))
        with pytest.raises(EncoderChangedError, match="knows an encoder 'tiny' that reads differently"):
            Teacher(bank.session).prepare(TEXTS[:30], DistilledFrom(str(other)))


def test_a_training_that_was_killed_goes_on_and_leaves_nothing_behind(tmp_path, folder):
    def stop(now):
        if now.epoch == 2:
            raise Stopped

    out = tmp_path / "small"
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        lesson = Teacher(bank.session).prepare(TEXTS, DistilledFrom(str(folder), "0,3"))
    with pytest.raises(Stopped):
        distil(lesson, settings(), out, stop)
    assert not out.exists()
    assert distil(lesson, settings(), out).resumed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank", "small"]


@pytest.mark.parametrize(
    ("made_of", "says"),
    [
        ({"student": "0"}, "found a student of 0 layers; tiny has 4"),
        ({"student": "5"}, "found a student of 5 layers; tiny has 4"),
        ({"student": "2,1"}, "found a student of 2,1 layers"),
        ({"student": "0,4"}, "write 3 for the first three, or their numbers from 0"),
        ({"column": "tiny/2/states"}, "expected one of vectors of the teacher, tiny"),
        ({"column": "other/2/mean"}, "expected one of vectors of the teacher, tiny"),
        ({"column": "tiny/9/mean"}, "layers 0 to 4"),
    ],
)
def test_what_no_student_can_be_made_of_is_refused_before_anything_is_encoded(tmp_path, folder, made_of, says):
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        with pytest.raises(UsageError, match=says):
            Teacher(bank.session).prepare(TEXTS, DistilledFrom(str(folder), **made_of))
        assert len(bank) == 0


@pytest.mark.parametrize(("column", "width"), [(None, 33), ("tiny/2/mean+pca8", 9)])
def test_a_student_of_more_dimensions_than_its_teacher_is_refused_before_anything_is_encoded(
    tmp_path, folder, column, width
):
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        with pytest.raises(UsageError, match=f"found a width of {width}, expected at most {width - 1}"):
            Teacher(bank.session).prepare(TEXTS, DistilledFrom(str(folder), column=column), width=width)
        assert len(bank) == 0
