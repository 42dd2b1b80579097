"""Tails of a bank: which states they start from, their labelled texts, fit and refit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embank.arrays import TextIds
from embank.codecs import codec_class
from embank.errors import HeadError, UsageError
from embank.fit import Examples, FitReport, FitSettings, LabelledTask
from embank.fit.examples import collect
from embank.fit.fit import LabelledTexts
from embank.fit.tails import (
    choose_cut,
    fit_tail,
    kept_examples,
)
from embank.labels.kinds import POOLED, Kind
from embank.labels.read import Labels, read_labels
from embank.labels.words import words_fault, words_text
from embank.models.tail_design import TailSettings
from embank.recipe import STATES, ColumnName
from embank.session import Session
from embank.store import StoredTask
from embank.texts import Text
from embank.training.settings import TrainingSettings, TrainingWatch


class TailFits:
    """Fits tails of one bank."""

    def __init__(self, session: Session, watch: TrainingWatch) -> None:
        """Fit in `session`; `watch` is called after every training step."""
        self._session, self._watch = session, watch

    def fit(self, task: str, given: LabelledTexts, settings: FitSettings) -> FitReport:
        """Fit a tail; states of labelled texts that the bank lacks are banked first, as far as the budget goes.

        Args:
            task: its name.
            given: labels, and their texts or ids.
            settings: with `tail`.

        Raises:
            UsageError: settings or columns that no tail can have.
            HeadError: too few labels, states that can be had nowhere, or a training that went astray.
        """
        if settings.class_weight != "none":
            raise UsageError("a tail weighs all classes alike: leave out the class weighting, or fit a head on vectors")
        session = self._session
        parsed = read_labels(given.labels, settings.kind, given.texts)
        notes: dict[str, float] = {}
        if settings.tail is not None and settings.tail.trials:
            settings, notes = self._with_cut(parsed, given, settings)
        column = states_column(session, settings)
        if parsed.kind not in POOLED and column.steps:
            raise UsageError(f"{column} keeps no state for every token; tagging and spans need states without limit")
        numbers, contents = self._numbers(given, [*session.own_columns(), column], parsed.kind)
        labelled = _labelled(task, parsed, numbers, contents, settings)
        report = fit_tail(session, labelled, column, settings, self._watch)
        return replace(report, tried={**notes, **report.tried})

    def refit(self, task: StoredTask) -> FitReport:
        """Fit a tail again on the examples that the bank kept.

        Raises:
            HeadError: too few of its texts are left.
        """
        asked = dict(task.record["settings"])
        tail = dict(asked.pop("tail"))
        tail["training"] = TrainingSettings(**tail["training"])
        settings = FitSettings(**{**asked, "columns": tuple(asked["columns"]), "tail": TailSettings(**tail)})
        column = ColumnName.parse(task.record["states"])
        examples, gone = self._left(kept_examples(self._session.store, task.folder))
        labelled = LabelledTask(name=task.name, kind=task.record["kind"], examples=examples, skipped=gone)
        return fit_tail(self._session, labelled, column, settings, self._watch)

    def _with_cut(
        self, labels: Labels, given: LabelledTexts, settings: FitSettings
    ) -> tuple[FitSettings, dict[str, float]]:
        """Settings with the cut that short trials chose, and the trials' scores."""
        tail = settings.tail or TailSettings()
        if settings.columns or tail.cut is not None:
            raise UsageError("--tail auto chooses where to cut: leave out --cut and --columns")
        session = self._session
        own = session.own_columns() or session.wanted([], None, None)
        (column,) = session.wanted([f"{own[0].encoder}/1/{STATES}"], None, None)
        numbers, contents = self._numbers(given, own, labels.kind)
        cut, scores = choose_cut(session, _labelled("", labels, numbers, contents, settings), column, settings)
        chosen = replace(settings, tail=replace(tail, cut=cut, trials=False))
        return chosen, {f"one-layer tail at layer {layer}": score for layer, score in scores.items()}

    def _numbers(
        self, given: LabelledTexts, columns: Sequence[ColumnName], kind: Kind
    ) -> tuple[TextIds, dict[int, Text]]:
        """Numbers of the labelled texts, which are banked first where they lack one of the columns, and the texts."""
        if given.texts is None:
            return self._session.numbers_of_ids(given.ids or []), {}
        texts = [_as_text(text, kind) for text in given.texts]
        # where words and answers stand is the text's own
        return self._session.numbered(texts, columns, keep_text=kind not in POOLED)

    def _left(self, examples: Examples) -> tuple[Examples, dict[str, int]]:
        """Examples whose texts have not been forgotten, and how many have been."""
        left = np.flatnonzero(np.isin(examples.texts, self._session.store.catalogue.text_numbers()))
        held = [bool(examples.held_back[at]) for at in left.tolist()]
        if all(held) or not any(held):
            raise HeadError("too few of its texts are left in the bank to fit it again: fit it on new labels")
        gone = len(examples.texts) - len(left)
        remaining = Examples(examples.texts[left], None, [examples.values[at] for at in left.tolist()], held)
        return remaining, {"text not in the bank": gone} if gone else {}


def _labelled(
    name: str, labels: Labels, numbers: TextIds, contents: Mapping[int, Text], settings: FitSettings
) -> LabelledTask:
    """Labels with the bank's numbers of their texts, UNKNOWN where it has none, as examples with their split."""
    examples, skipped = collect(numbers.tolist(), None, labels, settings.seed)
    return LabelledTask(name=name, kind=labels.kind, examples=examples, skipped=skipped, contents=contents)


def states_column(session: Session, settings: FitSettings) -> ColumnName:
    """Which column of states a tail starts from.

    Of several, the one with the most texts; then the highest layer, which leaves the least to run; then the finest
    codec. A bank without any gets a new one at half of the depth.

    Raises:
        UsageError: several columns were named, or one of vectors.
    """
    tail = settings.tail or TailSettings()
    if settings.columns:
        named = [ColumnName.parse(name) for name in settings.columns]
        if len(named) != 1 or not named[0].is_states:
            found = ", ".join(settings.columns)
            raise UsageError(f"a tail reads one column of states, such as minilm/3/states@float16, not {found}")
        if tail.cut not in (None, named[0].layer):
            raise UsageError(f"{named[0]} has the states of layer {named[0].layer}, and the cut is {tail.cut}")
        (column,) = session.wanted([str(named[0])], None, None)
        return column
    there = [ColumnName.parse(name) for name in session.store.catalogue.columns()]
    states = [name for name in there if name.is_states and tail.cut in (None, name.layer) and not name.steps]
    if states:
        rows = {name: session.store.reader(str(name)).n_rows for name in states}
        return min(states, key=lambda name: (-rows[name], -name.layer, -codec_class(name.codec).bits_per_number))
    own = session.own_columns()
    encoder = own[0].encoder if own else session.encoders.find(None).name
    return session.states_column(encoder, tail.cut)


def _as_text(text: Any, kind: Kind) -> Any:
    """A list of words as the text that they make, and a list of question and context as the pair that they are."""
    if isinstance(text, np.ndarray):
        text = text.tolist()
    if kind == "tagging" and isinstance(text, list) and not words_fault(text):
        return words_text(text)
    return tuple(text) if kind == "span" and isinstance(text, list) and len(text) == 2 else text  # noqa: PLR2004
