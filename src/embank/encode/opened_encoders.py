"""The encoders of an open bank: found, checked against what the bank knows, opened once, used by every run."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from embank.encode.columns import check_reading, readout_of
from embank.encode.external import is_given
from embank.encode.options import BankOptions
from embank.encoders import Encoder
from embank.encoders.backends import WORTH_MEASURING, Compute, open_fastest
from embank.encoders.load import DEFAULT, Located, ReadingOptions, locate, locate_all, open_torch_encoder
from embank.errors import EncoderChangedError, HeadError, UsageError
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.texts import Text

if TYPE_CHECKING:
    from embank.encoders.torch import TransformerEncoder


class OpenedEncoders:
    """Finds and opens encoders for one bank.

    Attributes:
        store: the bank's folder.
        options: that it was opened with.
        compute: backend and precision of each open encoder, by name.
    """

    def __init__(self, store: Store, options: BankOptions) -> None:
        """Serve `store`."""
        self.store = store
        self.options = options
        self._located: dict[str, Located] = {}
        self._opened: dict[str, Encoder] = {}
        self.compute: dict[str, Compute] = {}

    def find(self, spec: str | None) -> Located:
        """Locate an encoder as the user named it; one whose name stands in `places` is looked for there.

        Raises:
            EncoderError: there is none.
            EncoderChangedError: the bank knows another by that name.
        """
        if spec is not None and self._is_moved(spec):
            return self.known(spec)
        located = locate(spec or DEFAULT, self.options.reading, local_files_only=self.options.local_files_only)
        return self._found(located)

    def find_all(self, spec: str | None) -> list[Located]:
        """Locate an encoder as the user named it, or all that a folder of prefixes is; raises as `find` does."""
        if spec is not None and self._is_moved(spec):
            return [self.known(spec)]
        local = self.options.local_files_only
        found = locate_all(spec or DEFAULT, self.options.reading, local_files_only=local)
        return [self._found(located) for located in found]

    def _found(self, located: Located) -> Located:
        check_reading(self.store, located.name, located.reading, located.origin)
        self._located[located.name] = located
        return located

    def known(self, name: str) -> Located:
        """Locate an encoder that the bank knows, reading as it did; a name that it does not know is looked for.

        Raises:
            EncoderChangedError: what is found there now reads differently.
            UsageError: it stands for vectors that are made elsewhere.
        """
        if name in self._located:
            return self._located[name]
        entry = self.store.catalogue.encoders().get(name)
        if entry is None:
            return self.find(name)
        if is_given(self.store, name):
            raise UsageError(f"vectors of {name!r} are made elsewhere: put those of new texts with Bank.put")
        reading, facts = entry
        given = self.options.reading
        options = ReadingOptions(
            reading.prompt if given.prompt is None else given.prompt,
            given.max_tokens or reading.max_tokens,
            given.truncation or reading.truncation,
            given.long or reading.long,
        )
        place = self._place_of(name) or facts["origin"]
        located = locate(f"{name}={place}", options, local_files_only=self.options.local_files_only)
        try:
            check_reading(self.store, name, located.reading, located.origin)
        except EncoderChangedError as changed:
            if given != ReadingOptions():
                raise
            message = f"{place} has changed since this bank was encoded with it as {name!r}: {changed}"
            raise EncoderChangedError(message) from changed
        self._located[name] = located
        return located

    def check_options(self) -> None:
        """Refuse reading options that an encoder of this bank contradicts, rather than ignore them.

        Raises:
            EncoderChangedError: the options and the bank differ.
        """
        if self.options.reading != ReadingOptions():
            for name in self.store.catalogue.encoders():
                if not is_given(self.store, name):
                    self.known(name)

    def open(
        self,
        name: str,
        columns: Sequence[ColumnName],
        texts: Sequence[Text],
        enter: Callable[[str], None] = lambda _: None,
    ) -> Encoder:
        """Open an encoder, or give the one that is open.

        Args:
            name: what the bank calls it.
            columns: that it is to fill; backends are compared on them.
            texts: that it is to read; where they are many, backends are compared first.
            enter: called with each phase that begins.
        """
        if name not in self._opened or self._is_worth_measuring(name, texts):
            located = self.known(name)
            twin = self._twin(located, texts)
            if twin is None:
                readouts = list(dict.fromkeys(map(readout_of, columns)))
                encoder, compute = open_fastest(located, self.options.compute, texts, readouts, enter)
            else:  # one model in memory, and one pass for all of them
                compute = self.compute[twin]
                encoder = self._opened[twin].sibling(name, located.origin, located.reading, located.prefixes)  # type: ignore[attr-defined]
            self._opened[name] = encoder
            self.compute[name] = compute
        return self._opened[name]

    def encoder_for(self, column: ColumnName, texts: Sequence[Text]) -> Encoder:
        """The encoder of a column, to compute what the bank lacks of it for these texts."""
        return self.open(column.encoder, [column], texts)

    def torch_encoder(self, column: ColumnName) -> "TransformerEncoder":
        """The encoder of a column once more, in torch and float32, for the caller alone: its layers may be taken apart.

        Raises:
            HeadError: the column holds vectors or states of other weights than the encoder has now.
            EncoderError: it cannot be found.
            ExtraMissingError: torch is not installed.
        """
        located = self.known(column.encoder)
        stored = self.store.catalogue.columns().get(str(column))
        if stored is not None and stored.recipe.reading.weights != located.reading.weights:
            raise HeadError(f"{column} holds states of other weights than {located.origin} has now; encode them again")
        return open_torch_encoder(located)

    def record_compute(self) -> None:
        """Write into the bank what the encoders computed in, what was measured of it, and where they were found."""
        for name, (reading, facts) in self.store.catalogue.encoders().items():
            stated = dict(facts)
            if name in self.compute:
                stated |= {"compute": str(self.compute[name]), "origin": self._located[name].origin}
            if stated != facts:
                with self.store.catalogue.transaction():
                    self.store.catalogue.set_encoder(name, reading, stated)

    def _twin(self, located: Located, texts: Sequence[Text]) -> str | None:
        """An open encoder that is the same model under other prefixes."""
        for name in self._opened if located.prefixes else ():
            other = self._located.get(name)
            if other is None or name == located.name or not other.prefixes or self._is_worth_measuring(name, texts):
                continue
            alike = replace(other.reading, prefix=None) == replace(located.reading, prefix=None)
            if alike and other.folder.path == located.folder.path:
                return name
        return None

    def _is_worth_measuring(self, name: str, texts: Sequence[Text]) -> bool:
        """Whether an encoder that was opened for a few texts, unmeasured, has met many since."""
        return len(texts) >= WORTH_MEASURING and self.compute[name].unmeasured

    def _place_of(self, name: str) -> str | None:
        """Where the user says that an encoder of the bank is now."""
        for spec in self.options.places:
            given, _, place = spec.rpartition("=")
            if given == name:
                return place
        return None

    def _is_moved(self, name: str) -> bool:
        """Whether the bank knows an encoder by this name and the user says where it is now."""
        return self._place_of(name) is not None and name in self.store.catalogue.encoders()
