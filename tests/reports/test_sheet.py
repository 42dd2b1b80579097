"""Reports as text and as HTML: `str` for people, a notebook's own form, and `repr` as it was."""

import embank
from embank.fit.report import FitReport
from embank.reports.sheet import Sheet, Table

REPORT = FitReport(
    task="mood", kind="single", labels=("a", "b"), examples=10, held_back=2, skipped={"<no label>": 1},
    columns=("x/1/mean@int8",), chosen={"leans towards rare labels": False}, train={"macro_f1": 1.0},
    validation={"macro_f1": 0.5}, baseline={"macro_f1": 0.25}, measure="macro_f1",
)  # fmt: skip


def test_a_table_is_aligned_and_its_cells_are_escaped():
    table = Table(["name", "n"], [["<b>", "1"], ["c", "20"]], right=[1], indent=2)
    assert str(table) == "  name   n\n  <b>    1\n  c     20"
    assert "<td>&lt;b&gt;</td>" in table.html()


def test_a_fit_is_shown_in_words_on_a_terminal_and_in_a_notebook():
    assert isinstance(REPORT, Sheet)
    text = str(REPORT)
    assert text.splitlines()[0] == "task mood: single, 2 labels; 8 training and 2 validation texts"
    assert "macro-F1  1.000       0.500                0.250" in text
    assert "thresholds adjusted for rare labels: no" in text
    assert REPORT._repr_html_().count("<table>") == 1
    assert "&lt;no label&gt;" in REPORT._repr_html_()
    assert repr(REPORT).startswith("FitReport(task='mood'")


def test_a_bank_shows_what_it_holds(tmp_path):
    with embank.Bank.create(tmp_path / "bank") as bank:
        assert repr(bank) == f"Bank({str(tmp_path / 'bank')!r})"
        assert str(bank).startswith(f"{tmp_path / 'bank'}: 0 texts, 0 ids")
        assert bank._repr_html_() == bank.summary()._repr_html_()


def test_the_version_is_that_of_the_package():
    assert embank.__version__[0].isdigit()
