"""Fitting a task of a bank: the arguments checked, texts numbered (encoded first where they are new), head or tail."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embank.encode import Watch
from embank.errors import UsageError
from embank.fit import FitSettings, LabelledTask
from embank.fit.examples import collect
from embank.fit.heads import fit_head, refit_head
from embank.fit.report import FitReport
from embank.labels.kinds import APART, POOLED, check_task_name
from embank.labels.read import read_labels
from embank.optional import missing_extra
from embank.session import Session
from embank.training.settings import TrainingWatch


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """Labels, and what they belong to.

    Attributes:
        labels: one per text or id.
        texts: the labelled texts, or None.
        ids: what they were called when they were encoded, or None.
        seconds: second texts, for a task that reads two apart, or None.
    """

    labels: Sequence[Any]
    texts: Sequence[Any] | None = None
    ids: Sequence[Any] | None = None
    seconds: Sequence[Any] | None = None

    def check(self, settings: FitSettings) -> None:
        """Refuse what does not go together.

        Raises:
            UsageError: neither texts nor ids, or both; unequal lengths; second texts where none are read.
        """
        found = self.texts if self.texts is not None else self.ids
        if found is None or (self.texts is not None and self.ids is not None):
            raise UsageError("fit needs the labelled texts or their ids: give one of texts=... and ids=...")
        if len(found) != len(self.labels):
            raise UsageError(
                f"there are {len(found)} texts or ids and {len(self.labels)} labels; one label per text is needed"
            )
        if (self.seconds is not None) != (settings.reads == APART):
            takes = "second texts" if settings.reads == APART else "no second texts"
            raise UsageError(f"a task with reads={settings.reads!r} takes {takes}")
        if settings.tail is not None and settings.reads == APART:
            raise UsageError("a tail reads two texts together, as one: give pairs as texts (--pair)")


def fit(
    session: Session,
    task: str,
    given: LabelledTexts,
    settings: FitSettings,
    watch: Watch = lambda _: None,
    train_watch: TrainingWatch = lambda _: None,
) -> FitReport:
    """Fit a task; texts that the bank lacks are encoded first.

    Args:
        session: of the bank.
        task: its name; a task of that name is replaced.
        given: labels and their texts.
        settings: kind, columns, class weights, seed; a tail.
        watch: progress callback while texts are encoded.
        train_watch: called after every step while a tail is trained.

    Raises:
        UsageError: arguments that do not go together, a bad name, an unknown column or kind.
        HeadError: too few labels, or one class only.
        ExtraMissingError: a tail without torch.
    """
    check_task_name(task)
    given.check(settings)
    if settings.tail is not None:
        with missing_extra("torch"):
            from embank.fit.tails import fit_new_tail
        return fit_new_tail(session, task, given, settings, train_watch)
    if given.texts is not None:
        numbers = session.numbers_of(given.texts, watch)
    else:
        numbers = session.numbers_of_ids(given.ids or [])
    seconds = None if given.seconds is None else session.numbers_of(given.seconds, watch).tolist()
    labels = read_labels(given.labels, settings.kind, kinds=POOLED)
    examples, skipped = collect(numbers.tolist(), seconds, labels, settings.seed)
    labelled = LabelledTask(name=task, kind=labels.kind, examples=examples, skipped=skipped)
    return fit_head(session.store, labelled, settings)


def refit(session: Session, task: str, train_watch: TrainingWatch = lambda _: None) -> FitReport:
    """Fit a task again on the labels and the split that the bank kept.

    Raises:
        UsageError: unknown task.
        HeadError: too few of its texts are left.
        ExtraMissingError: a tail without torch.
    """
    known = session.store.catalogue.tasks().get(task)
    if known is not None and known.states is not None:
        with missing_extra("torch"):
            from embank.fit.tails import refit_tail
        return refit_tail(session, known, train_watch)
    return refit_head(session.store, task)
