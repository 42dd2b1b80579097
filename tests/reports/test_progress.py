"""Progress: nothing where it is not wanted, a line every so often off a terminal, what is said while phases change."""

import threading

from embank.encode import ENCODING, EncodeReport
from embank.reports.progress import EVERY, Lines, Step, shown, watched
from embank.training.settings import TrainingProgress


def test_off_a_terminal_a_line_is_written_each_time_that_the_wait_is_over(capsys):
    waits = []

    def wait(seconds):
        waits.append(seconds)
        lines.show(Step(len(waits) * 100, None, "rows, 50 texts/s"))
        return len(waits) == 3

    ticks = iter([0.0, 30.0, 3725.0])
    lines = Lines("encoding", 900, clock=lambda: next(ticks))
    lines.run(wait)
    assert waits == [EVERY] * 3
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines() == [
        "encoding: 100 of 900 rows, 50 texts/s; 0:00:30",
        "encoding: 200 of 900 rows, 50 texts/s; 1:02:05",
    ]


def test_short_work_off_a_terminal_writes_nothing_and_leaves_no_thread(capsys):
    before = threading.active_count()
    with shown("encoding", 3) as show:
        show(Step(1, None, "rows"))
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar_that_goes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with shown("encoding", 3) as show:
        show(Step(3, None, "rows, 7 texts/s"))
    assert capsys.readouterr().out == ""


def test_nothing_is_shown_where_it_is_not_wanted(capsys):
    seen = []
    with shown("encoding", on=False) as show:
        show(Step(1, 2, "rows"))
    with watched("encoding", seen.append, on=False) as watch:
        watch(Step(1, 2, "rows"))
    assert watch == seen.append
    with watched("encoding", seen.append, on=True) as watch:
        watch(Step(2, 2, "rows"))
    assert seen == [Step(1, 2, "rows"), Step(2, 2, "rows")]
    assert capsys.readouterr() == ("", "")


def test_a_report_of_encoding_says_its_phase_until_texts_are_encoded():
    report = EncodeReport(rows=100, new=20, known=10, n_faults=1, seconds=9.0, phase="loading the encoder")
    assert (report.done, report.total, report.state) == (31, None, "rows, loading the encoder")
    report.phase, report.encoding_seconds = ENCODING, 2.0
    assert report.state == "rows, 10 texts/s"
    report.phase_seconds = {"loading the encoder": 6.5}
    assert report.timing == "9.0 s: loading the encoder 6.5 s, encoding 2.0 s (10 texts/s)"


def test_a_training_says_pass_loss_and_score():
    now = TrainingProgress(step=3, steps=12, epoch=1, epochs=4, loss=0.5, score=None)
    assert (now.done, now.total, now.state) == (3, 12, "steps, pass 1, loss 0.500, validation -")
