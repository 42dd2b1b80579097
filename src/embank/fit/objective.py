"""From labelled examples to the objective of a training; shared by everything that trains layers."""

from collections.abc import Sequence

from embank.encoders import Places
from embank.encoders.torch import TransformerEncoder
from embank.errors import HeadError
from embank.fit import LabelledTask
from embank.fit.targets import targets_of
from embank.labels.answers import Answer
from embank.labels.kinds import POOLED
from embank.labels.read import Labels
from embank.labels.tags import tag_names
from embank.store.folder import Store
from embank.store.kept_texts import kept_texts
from embank.texts import Text
from embank.training.datasets import Which
from embank.training.objectives import PooledObjective, TaskObjective
from embank.training.token_objectives import SpanObjective, TaggingObjective, words_of


def objective_for(
    labels: Labels,
    contents: Sequence[Text],
    train: Which,
    encoder: TransformerEncoder | None,
    like: TaskObjective | None = None,
) -> tuple[TaskObjective, tuple[str, ...]]:
    """What is asked of examples, and the names of classes, labels or tags.

    Args:
        labels: their kind, and one value per example.
        contents: the texts; kinds that are pooled do not look at them.
        train: numbers of the examples that are trained on.
        encoder: kinds that read tokens ask its tokenizer where they stand; pooled kinds need none.
        like: the objective of training, for rows that are only tested on: they share its names and its scale.

    Raises:
        HeadError: one class only, or tags that are not one per word.
    """
    kind, values = labels.kind, labels.values
    if kind in POOLED:
        known = like if isinstance(like, PooledObjective) else None
        y, names = targets_of(kind, values, None if known is None else known.labels)
        if kind == "single" and known is None and len(set(y[train].tolist())) < 2:  # noqa: PLR2004 - two classes
            raise HeadError(f"all rows that may be trained on have the label {y[train][0]!r}; add others")
        return PooledObjective(
            kind=kind, y=y, labels=names, train=train, fixed_scale=None if known is None else known.scale
        ), names
    places = _places(encoder, contents)
    if kind == "span":
        answers = [value if isinstance(value, Answer) else Answer(*map(tuple, value)) for value in values]
        return SpanObjective(answers=answers, texts=contents, places=places), ()
    for text, tags in zip(contents, values, strict=True):
        if not isinstance(text, str) or len(text.split()) != len(tags):
            found = f"{len(tags)} tags for {text!r:.60}"
            raise HeadError(f"found {found}; tags are one per word, and words are what white space divides")
    words = [words_of(text, own) for text, own in zip(contents, places, strict=True)]
    names = like.names if isinstance(like, TaggingObjective) else tag_names(values)
    return TaggingObjective(values, names, words), names


def texts_of(store: Store, task: LabelledTask, why: str) -> list[Text]:
    """The texts themselves: as the user gave them, or as the bank keeps them.

    Raises:
        HeadError: some are neither given nor kept.
    """
    wanted = task.examples.texts.tolist()
    texts = {**kept_texts(store, wanted), **task.contents}
    lost = [number for number in wanted if number not in texts]
    if lost:
        raise HeadError(
            f"{len(lost)} of the labelled texts are not kept in the bank, and {why} the texts themselves: give them "
            "(--text), or encode with --keep-text"
        )
    return [texts[number] for number in wanted]


def task_objective(
    store: Store, task: LabelledTask, train: Which, encoder: TransformerEncoder
) -> tuple[TaskObjective, tuple[str, ...]]:
    """The objective of a bank's task, and the names of its classes, labels or tags; see `objective_for`.

    Raises:
        HeadError: a kind that reads tokens needs texts that are neither given nor kept.
    """
    contents = [] if task.kind in POOLED else texts_of(store, task, f"{task.kind} needs")
    return objective_for(task.labels, contents, train, encoder)


def _places(encoder: TransformerEncoder | None, contents: Sequence[Text]) -> Sequence[Places]:
    assert encoder is not None, "tags and answers are read by an encoder's tokenizer"  # noqa: S101 - for mypy
    return encoder.tokenizing.places(contents)
