"""What a bank lends to tails: which states they start from, the encoder's upper layers, its lower ones for misses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embank.arrays import TextIds
from embank.codecs import codec_class
from embank.encode import TextBlock
from embank.encoders import Encoder
from embank.encoders.load import Located, open_encoder
from embank.errors import HeadError, UsageError
from embank.fit import Examples, FitReport, FitSettings
from embank.fit.tails import (
    TailTools,
    choose_cut,
    fit_examples,
    fit_tail,
    kept_examples,
)
from embank.labels.kinds import POOLED, Kind
from embank.labels.read import Labels, read_labels
from embank.labels.tags import words_fault, words_text
from embank.predict.load import TAIL, tail_tasks
from embank.predict.tails import Tails
from embank.recipe import STATES, ColumnName
from embank.session import Encoders
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.kept_texts import kept_texts
from embank.texts import Text
from embank.training.settings import TailSettings, TrainingSettings, TrainingWatch


class Lending:
    """Serves the tails of one bank."""

    def __init__(self, store: Store, encoders: Encoders) -> None:
        """Lend from `store` and its encoders."""
        self._store, self._encoders = store, encoders
        self._tails: Tails | None = None

    def fit(
        self,
        task: str,
        labels: Sequence[Any],
        given: tuple[Sequence[Any] | None, Sequence[Any] | None],
        settings: FitSettings,
        watch: TrainingWatch,
    ) -> FitReport:
        """Fit a tail; states of labelled texts that the bank lacks are banked first, as far as the budget goes.

        Args:
            task: its name.
            labels: one a text.
            given: texts, or ids.
            settings: with `tail`.
            watch: told after every training step.
        """
        if settings.class_weight != "none":
            raise UsageError("a tail weighs all classes alike: leave out the class weighting, or fit a head on vectors")
        parsed = read_labels(labels, settings.kind, given[0])
        notes: dict[str, Any] = {}
        if settings.tail is not None and settings.tail.trials:
            settings, notes = self._with_cut(parsed, given, settings, watch)
        column = self.column(settings)
        if parsed.kind not in POOLED and column.steps:
            raise UsageError(f"{column} keeps no state for every token; tagging and spans need states without limit")
        numbers, contents = self._numbers(given, [*self._encoders.own_columns(), column], parsed.kind)
        report = fit_tail(self._store, task, parsed, numbers, settings, self.tools(column, contents, watch))
        return replace(report, tried={**notes, **report.tried})

    def _with_cut(
        self,
        labels: Labels,
        given: tuple[Sequence[Any] | None, Sequence[Any] | None],
        settings: FitSettings,
        watch: TrainingWatch,
    ) -> tuple[FitSettings, dict[str, float]]:
        """Settings with the cut that short trials chose, and the trials' scores."""
        tail = settings.tail or TailSettings()
        if settings.columns or tail.cut is not None:
            raise UsageError("--tail auto chooses where to cut: leave out --cut and --columns")
        own = self._encoders.own_columns()
        if not own:
            own = self._encoders.wanted([], None, None)
        (column,) = self._encoders.wanted([f"{own[0].encoder}/1/{STATES}"], None, None)
        numbers, contents = self._numbers(given, own, labels.kind)
        cut, scores = choose_cut(self._store, labels, numbers, settings, self.tools(column, contents, watch))
        chosen = replace(settings, tail=replace(tail, cut=cut, trials=False))
        return chosen, {f"one-layer tail at layer {layer}": score for layer, score in scores.items()}

    def _numbers(
        self, given: tuple[Sequence[Any] | None, Sequence[Any] | None], columns: Sequence[ColumnName], kind: Kind
    ) -> tuple[TextIds, dict[int, Text]]:
        """Numbers of the labelled texts, which are banked first where they lack one of the columns, and the texts."""
        texts, ids = given
        if texts is None:
            return self._encoders.numbers_of_ids(ids or []), {}
        block = TextBlock("texts", 0, [_as_text(text, kind) for text in texts])
        numbers, _ = self._encoders.numbers(block, columns)
        pairs = zip(numbers.tolist(), block.texts, strict=True)
        found = {number: text for number, text in pairs if number != UNKNOWN}
        if kind not in POOLED and len(kept_texts(self._store, list(found))) < len(found):
            self._encoders.fill(columns, [block], keep_text=True)  # where words and answers stand is the text's own
        return numbers, found

    def refit(self, task: str, record: Mapping[str, Any], folder: str, watch: TrainingWatch) -> FitReport:
        """Fit a tail again on the examples that the bank kept."""
        asked = dict(record["settings"])
        tail = dict(asked.pop("tail"))
        tail["training"] = TrainingSettings(**tail["training"])
        settings = FitSettings(**{**asked, "columns": tuple(asked["columns"]), "tail": TailSettings(**tail)})
        column = ColumnName.parse(record["states"])
        examples, gone = self._left(kept_examples(self._store, folder))
        tools = self.tools(column, {}, watch)
        return fit_examples(self._store, task, (record["kind"], examples), settings, tools, gone)

    def _left(self, examples: Examples) -> tuple[Examples, dict[str, int]]:
        """Examples whose texts have not been forgotten, and how many have been."""
        left = np.flatnonzero(np.isin(examples.texts, self._store.catalogue.text_numbers()))
        held = [bool(examples.held_back[at]) for at in left.tolist()]
        if all(held) or not any(held):
            raise HeadError("too few of its texts are left in the bank to fit it again: fit it on new labels")
        gone = len(examples.texts) - len(left)
        remaining = Examples(examples.texts[left], None, [examples.values[at] for at in left.tolist()], held)
        return remaining, {"text not in the bank": gone} if gone else {}

    def column(self, settings: FitSettings) -> ColumnName:
        """Which column of states a tail starts from.

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
            (column,) = self._encoders.wanted([str(named[0])], None, None)
            return column
        there = [ColumnName.parse(name) for name in self._store.catalogue.columns()]
        states = [name for name in there if name.is_states and tail.cut in (None, name.layer) and not name.steps]
        if states:
            return min(states, key=self._order)
        own = self._encoders.own_columns()
        name = own[0].encoder if own else self._encoders.find(None).name
        return self._encoders.states_of(name, tail.cut)

    def _order(self, name: ColumnName) -> tuple[int, int, int]:
        """The most states first; then the highest layer, which leaves the least to run; then the finest codec."""
        return -self._store.reader(str(name)).n_rows, -name.layer, -codec_class(name.codec).bits_per_number

    def tools(self, column: ColumnName, contents: Mapping[int, Text], watch: TrainingWatch) -> TailTools:
        """All that fitting or running a tail on a column needs."""
        return TailTools(column, lambda: self.upper(column), lambda texts: self.lower(column, texts), contents, watch)

    def tails(self, names: Sequence[str]) -> Tails | None:
        """Load the tails among some tasks (or all), ready to predict; None where there are none."""
        stored = tail_tasks(self._store, names)
        self._tails = Tails(self._store, stored, (self.upper, self.lower)) if stored else None
        return self._tails

    def no_tails(self, names: Sequence[str]) -> Tails | None:
        """None; refuses tails where two texts are read apart; those that were not named are left out.

        Raises:
            UsageError: one of the named tasks is a tail.
        """
        if names and (named := tail_tasks(self._store, names)):
            raise UsageError(f"task {named[0].name!r} is a tail and reads texts together: leave out the second texts")
        return None

    @property
    def counts(self) -> tuple[int, int]:
        """Texts whose states were read and computed by the tails that were loaded last."""
        return (self._tails.hits, self._tails.misses) if self._tails else (0, 0)

    @property
    def encoders(self) -> set[str]:
        """Encoders that columns were filled by, or that tails run, whether their states are banked or not."""
        records = [task.record for task in self._store.catalogue.tasks().values()]
        names = [*self._store.catalogue.columns(), *(record[TAIL] for record in records if TAIL in record)]
        return {ColumnName.parse(name).encoder for name in names}

    def upper(self, column: ColumnName) -> Any:
        """Load an encoder in torch and float32, for a tail to take apart."""
        located = self._located(column)
        return open_encoder(located, "torch", "float32", self._encoders.options.compute.folder)

    def lower(self, column: ColumnName, texts: Sequence[Text]) -> Encoder:
        """The encoder whose lower layers give states that are not banked."""
        return self._encoders.open(column.encoder, [column], texts)

    def _located(self, column: ColumnName) -> Located:
        located = self._encoders.known(column.encoder)
        stored = self._store.catalogue.columns().get(str(column))
        if stored is not None and stored.recipe.reading.weights != located.reading.weights:
            raise HeadError(f"{column} holds states of other weights than {located.origin} has now; encode them again")
        return located


def _as_text(text: Any, kind: Kind) -> Any:
    """A list of words as the text that they make, and a list of question and context as the pair that they are."""
    if isinstance(text, np.ndarray):
        text = text.tolist()
    if kind == "tagging" and isinstance(text, list) and not words_fault(text):
        return words_text(text)
    return tuple(text) if kind == "span" and isinstance(text, list) and len(text) == 2 else text  # noqa: PLR2004
