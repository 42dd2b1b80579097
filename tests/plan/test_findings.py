"""From trials to findings: operations by hand, seconds brought to all rows, what the bank has already."""

import numpy as np
import pytest

from embank.codecs.floats import Float16
from embank.encode.columns import calibrated_on
from embank.encoders.flops import Shape, embedding_flops, flops, head_flops, layer_flops
from embank.plan.costs import Pace, TrainingPace
from embank.plan.findings import Ground, findings
from embank.plan.head_trials import Coded, HeadTrial
from embank.plan.rows import folds_of, task_rows
from embank.plan.training_trials import TrainedTrial
from embank.plan.trials import TaskTrials
from embank.plan.ways import codec_columns, frozen_ways, trained_ways, way_flops, way_training_flops
from embank.recipe import ColumnName

SHAPE = Shape(layers=6, width=384, queries=384, keys=384, inner=1536)
PACE = Pace(opening=2.0, tokenising=0.001, reading=0.005, tokens=25.0)
WAYS = {way.name: way for way in trained_ways("minilm", "bert", 6)}
COLUMN = ColumnName("minilm", 4, "mean")
FROZEN = frozen_ways(codec_columns([COLUMN], []))
ROWS = task_rows("topic", list(range(1000)), [f"c{at % 4}" for at in range(1000)], "auto")


FOLDS = folds_of(ROWS, 999, 0)


def ground(banked=None):
    coded = {way.name: {way.columns[0]: Coded(Float16(384), np.zeros((10, 384), np.float16))} for way in FROZEN}
    return Ground(pace=PACE, shape=SHAPE, coded=coded, banked=banked or {}, tasks=3, texts=2000)


def head(fold, seconds, predicting, wrong=0):
    guess = ROWS.y[FOLDS[fold].test].copy()
    guess[:wrong] = "other"
    return HeadTrial(guess=guess, rows=666, seconds=seconds, predicting=predicting, hidden=0)


def trials():
    task = TaskTrials(rows=ROWS, folds=FOLDS)
    task.heads = {
        "frozen/float16": {0: head(0, 4.0, 1e-6), 1: head(1, 4.0, 1e-6)},
        "frozen/int8": {0: head(0, 1.0, 2e-6, wrong=30)},
    }
    pace = TrainingPace(fixed=1.0, row_pass=0.01, row=0.002, predicting=0.003)
    trained = TrainedTrial(guess=ROWS.y[FOLDS[0].test], pace=pace, seconds=50.0)
    task.trained = {name: {0: trained} for name in ("tail/3/full", "finetune", "student/2")}
    task.reasons = {"tail/2/full": "no time"}
    return task


def found(way, **given):
    ways = [*FROZEN, *WAYS.values()]
    return next(one for one in findings(trials(), ways, ground(**given))[0] if one.way.name == way)


def test_a_tail_computes_what_is_above_its_cut_and_the_rest_once_for_all():
    assert way_flops(WAYS["tail/3/full"], SHAPE, 25) == 3 * layer_flops(SHAPE, 25)
    assert way_flops(WAYS["finetune"], SHAPE, 25) == flops(SHAPE, 25)
    assert way_flops(WAYS["student/2"], SHAPE, 25) == embedding_flops(SHAPE, 25) + 2 * layer_flops(SHAPE, 25)


def test_training_is_three_times_forward():
    assert way_training_flops(WAYS["tail/3/full"], SHAPE, 25) == 9 * layer_flops(SHAPE, 25)


def test_a_tail_reads_to_its_cut_and_trains_on_all_rows():
    one = found("tail/3/full")
    assert one.seconds.text == pytest.approx(0.001 + 0.004 / 2)
    assert one.seconds.once == pytest.approx(2 + 1000 * 0.003)
    assert one.epochs == 10, "800 rows that are trained on make 25 steps per pass, and 250 are wanted"
    assert one.training_seconds == pytest.approx(1 + 1000 * (10 * 0.01 + 0.002))
    assert one.texts_per_second == pytest.approx(1 / 0.006)
    assert one.more_per_second == pytest.approx(1 / 0.003)
    assert one.text_bytes == 25 * 384 * 2
    assert one.text_flops == flops(SHAPE, 25) + head_flops(384, 4), "below the cut and above it"
    assert one.total_seconds == pytest.approx(one.seconds.once + 2000 * 0.003 + 3 * (one.training_seconds + 6.0))


def test_what_lives_outside_shares_nothing():
    one = found("finetune")
    assert (one.seconds.once, one.seconds.text, one.text_bytes) == (0.0, 0.0, 0.0)
    assert one.text_flops == flops(SHAPE, 25) + head_flops(384, 4)
    assert found("student/2").text_flops < one.text_flops


def test_heads_of_one_width_take_the_same_fit_whatever_their_precision():
    own = found("frozen/float16")
    assert own.training_seconds == pytest.approx((4 + 4 + 1) / 3 / 666 * 1000), (
        "the mean of fits of one size, in proportion to rows"
    )
    assert found("frozen/int8").training_seconds == own.training_seconds
    assert own.text_bytes == 768
    assert own.score.points == 100.0
    assert found("frozen/int8").score.points < 95
    assert found("frozen/int8").score.runs == 1


def test_a_codec_that_learns_reads_a_sample_once_more():
    own, small = found("frozen/float16"), found("frozen/int8")
    assert own.seconds.once == pytest.approx(2 + 1000 * 0.005)
    assert small.seconds.once == pytest.approx(2 + (1000 + calibrated_on(1000)) * 0.005)
    there = found("frozen/int8", banked={"frozen/int8": (10, 0)})
    assert there.seconds.once == own.seconds.once


def test_what_the_bank_has_is_not_read_again():
    one = found("frozen/float16", banked={"frozen/float16": (1500, 1000)})
    assert one.seconds.once == 0.0
    assert one.banked == 1500
    fresh = 500
    assert one.total_seconds == pytest.approx(fresh * 0.005 + 3 * (one.training_seconds + 2000 * 1e-6))


def test_a_fit_on_all_rows_that_were_read_tells_what_a_fit_takes():
    task = trials()
    task.whole = HeadTrial(guess=ROWS.y[:1], rows=999, seconds=3.5, predicting=0.0, hidden=0)
    for one in findings(task, FROZEN, ground())[0]:
        assert one.training_seconds == pytest.approx(3.5 / 999 * 1000)


def test_what_was_not_measured_keeps_its_reason():
    lacking = {one.way.name: one.reason for one in findings(trials(), [*FROZEN, *WAYS.values()], ground())[1]}
    assert lacking["tail/2/full"] == "no time"
    assert lacking["frozen/int4"] == "the time was up before it was its turn"
    assert "finetune" not in lacking


def test_the_banks_own_columns_are_a_way_where_they_are_no_default():
    default = [COLUMN, ColumnName("minilm", 6, "mean")]
    assert set(codec_columns(default, [])) == {"float32", "float16", "int8", "int4", "binary"}
    assert "own" not in codec_columns(default, [COLUMN])
    own = [ColumnName("minilm", 5, "first")]
    assert codec_columns(default, own)["own"] == own
    assert frozen_ways({"own": own})[0].title == "frozen heads on the bank's own columns"
