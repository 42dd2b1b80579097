"""Plans made by hand: ways with costs and scores that are known."""

from embank.planning import (
    Balance,
    Cost,
    Finding,
    Plan,
    PlanSettings,
    Recommendation,
    Score,
    TaskPlan,
    Unmeasured,
    Way,
)
from embank.planning.breakeven import balance
from embank.planning.recommending import mean_costs

ENCODER = Cost(once=10.0, text=1.0, task=2.0, task_text=0.001)
STUDENT = Cost(once=0.0, text=0.0, task=50.0, task_text=1 / 7)
WHOLE = Cost(once=0.0, text=0.0, task=200.0, task_text=1.0)

FROZEN = Way("frozen/float16", "frozen", "frozen heads at float16", ("minilm/4/mean@float16",))
BINARY = Way("frozen/binary", "frozen", "frozen heads at binary", ("minilm/4/mean@binary",))
TAIL = Way("tail/3/full", "tail", "tail from layer 3", ("minilm/3/states@float16",), 3)
FEW = Way("limited/5/first8", "limited", "first 8 states and a tail", ("minilm/5/states+first8@float16",), 5)
SMALL = Way("student/2", "student", "a student of 2 layers for each task", layers=2)
FINETUNE = Way("finetune", "finetune", "full fine-tuning for each task")
COSTS = {
    FROZEN: ENCODER,
    BINARY: ENCODER,
    TAIL: Cost(10.0, 0.5, 100.0, 0.5),
    FEW: Cost(10.0, 0.8, 20.0, 0.1),
    SMALL: STUDENT,
    FINETUNE: WHOLE,
}
POINTS = {FROZEN: 80.0, BINARY: 78.0, TAIL: 81.0, FEW: 70.0, SMALL: 79.0, FINETUNE: 81.2}


def score(points, half=2.0):
    return Score(points, points - half, points + half, "normal, resampled rows of 3 folds", 3, 40, points)


def finding(way, points=None, tasks=1, texts=1000):
    cost = COSTS[way]
    return Finding(
        way, score(POINTS[way] if points is None else points), cost, cost, cost.task,
        1 / (cost.text + cost.task_text), 1 / cost.task_text, 100.0 if way.columns else 0.0, 1e6,
        cost.total(tasks, texts), cost.total(tasks, texts), epochs=None if way.family == "frozen" else 6, passes=5.0,
    )  # fmt: skip


def task_plan(task="topic", ways=(FROZEN, TAIL, SMALL, FINETUNE), advice=FROZEN):
    found = tuple(sorted((finding(way) for way in ways), key=lambda one: one.total_seconds))
    words = "Serve it with frozen heads." if advice else "Nothing."
    return TaskPlan(
        task, "single", "macro_f1", 500, 400, "3 folds", found,
        (Unmeasured(BINARY, "it would have taken about 90 s, and 3 s were left"),),
        Recommendation(advice, FINETUNE if advice else None, words),
    )  # fmt: skip


def whole_plan(*plans):
    several = plans or (task_plan(),)
    means = mean_costs(several)
    balances: tuple[Balance, ...] = tuple(
        balance(unit, bank, {name: costs[0] for name, costs in means.items()}, 3, 1000)
        for unit in ("seconds", "flops")
        for bank in ("empty", "filled")
    )
    return Plan(
        "a processor, 2 cores", "minilm, minilm, 6 layers, torch float32, cpu", 25.0, 5000.0, 3, 1000, 0.5, 10.0, 480.0,
        several, several[0].recommendation, balances, ("a note",), means,
    )  # fmt: skip


SETTINGS = PlanSettings(tolerance=0.5)
