"""Plans made by hand: ways with costs and scores that are known."""

from embank.plan import Cost, Finding, Plan, Recommendation, Score, TaskPlan, Unmeasured, Way
from embank.plan.advice import Offer, mean_costs
from embank.plan.break_even import balance

ENCODER = Cost(once=10.0, text=1.0, task=2.0, task_text=0.001)
STUDENT = Cost(once=0.0, text=0.0, task=50.0, task_text=1 / 7)
WHOLE = Cost(once=0.0, text=0.0, task=200.0, task_text=1.0)

FROZEN = Way(
    name="frozen/float16", family="frozen", title="frozen heads at float16", columns=("minilm/4/mean@float16",)
)
BINARY = Way(name="frozen/binary", family="frozen", title="frozen heads at binary", columns=("minilm/4/mean@binary",))
TAIL = Way(name="tail/2/full", family="tail", title="a tail from layer 2", columns=("minilm/2/states@float16",), cut=2)
HALF = Way(name="tail/3/full", family="tail", title="a tail from layer 3", columns=("minilm/3/states@float16",), cut=3)
SMALL = Way(name="student/2", family="student", title="a distilled student of 2 layers per task", layers=2)
FINETUNE = Way(name="finetune", family="finetune", title="full fine-tuning of an encoder per task")
COSTS = {
    FROZEN: ENCODER,
    BINARY: ENCODER,
    TAIL: Cost(10.0, 0.5, 100.0, 0.5),
    HALF: Cost(10.0, 0.6, 80.0, 0.4),
    SMALL: STUDENT,
    FINETUNE: WHOLE,
}
POINTS = {FROZEN: 80.0, BINARY: 78.0, TAIL: 81.0, HALF: 80.5, SMALL: 79.0, FINETUNE: 81.2}


def score(points, half=2.0):
    return Score(points=points, low=points - half, high=points + half, runs=3, rows=400)


def finding(way, points=None, tasks=1, texts=1000):
    cost = COSTS[way]
    return Finding(
        way=way,
        score=score(POINTS[way] if points is None else points),
        seconds=cost,
        text_flops=1e6,
        text_bytes=100.0 if way.columns else 0.0,
        total_seconds=cost.total(tasks, texts),
        epochs=None if way.family == "frozen" else 6,
    )


def offers(found, error=0.0):
    """Findings compared by their points, each with the same standard error beside the best."""
    best = max(found, key=lambda one: (one.score.points, -one.total_seconds), default=None)
    return [
        Offer(
            way=one.way,
            points=one.score.points,
            behind=best.score.points - one.score.points,
            standard_error=0.0 if one is best else error,
            seconds=one.total_seconds,
            text_bytes=one.text_bytes,
        )
        for one in found
    ]


def task_plan(task="topic", ways=(FROZEN, TAIL, SMALL, FINETUNE), way=FROZEN):
    found = tuple(sorted((finding(own) for own in ways), key=lambda one: one.total_seconds))
    advice = Recommendation(
        way=way,
        best=FINETUNE if way else None,
        headline=f"Serve {task} with {way.title}." if way else f"No advice for {task}.",
        words="It is close enough." if way else "Nothing.",
        behind=1.2,
        standard_error=1.0,
    )
    return TaskPlan(
        task=task,
        kind="single",
        measure="macro_f1",
        rows=500,
        tried=400,
        protocol="3 folds",
        findings=found,
        unmeasured=(Unmeasured(BINARY, "it would have taken about 90 s, and 3 s were left"),),
        recommendation=advice,
    )


def whole_plan(*plans):
    several = plans or (task_plan(),)
    means = mean_costs(several)
    balances = tuple(balance(bank, means, 3, 1000) for bank in ("empty", "filled"))
    return Plan(
        machine="a processor, 2 cores",
        encoder="minilm, minilm, 6 layers, torch float32, cpu",
        tokens=25.0,
        tokens_per_second=5000.0,
        tasks=3,
        texts=1000,
        tolerance=0.5,
        minutes=10.0,
        seconds=480.0,
        plans=several,
        overall=several[0].recommendation,
        balances=balances,
        notes=("a note",),
        means=means,
    )
