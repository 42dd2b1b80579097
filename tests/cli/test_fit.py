"""What a fit prints."""

import pytest

from embank.cli.fit import print_report
from embank.fit.report import FitReport


@pytest.mark.parametrize(
    ("score", "chosen", "said"),
    [
        (
            0.25,
            {"head": "linear"},
            "no better than the baseline on validation texts: try more texts, other columns, or a tail",
        ),
        (
            0.25,
            {"cut": "3 of 6 layers"},
            "no better than the baseline on validation texts: try more texts, a lower --cut",
        ),
        (0.26, {"head": "linear"}, ""),
    ],
)
def test_a_fit_that_learned_nothing_says_what_to_try(score, chosen, said, capsys):
    report = FitReport(
        task="mood",
        kind="single",
        labels=("a", "b"),
        examples=10,
        held_back=2,
        skipped={},
        columns=(),
        chosen=chosen,
        train={"macro_f1": 1.0},
        validation={"macro_f1": score},
        baseline={"macro_f1": 0.25},
        measure="macro_f1",
    )
    print_report(report)
    shown = capsys.readouterr().out
    assert said in shown
    assert bool(said) == ("no better than" in shown)
