"""A folder of prefixes: one is added, replaced or removed at a time, and the columns made with it are dropped."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from embank.encode.options import BankOptions
from embank.encoders.load import DEFAULT, locate, open_torch_encoder
from embank.encoders.prefix.folder import (
    APART,
    TOGETHER,
    EncoderReference,
    PrefixFolder,
    create_prefix_folder,
    digest_together,
    drop_prefix,
    put_prefix,
    read_prefix_folder,
    valid_prefix_name,
)
from embank.encoders.torch import TransformerEncoder
from embank.errors import EncoderError, UsageError
from embank.fit.source_tasks import Source
from embank.prefix.train import PrefixSettings, TrainedPrefix, train_prefix
from embank.recipe import ColumnName
from embank.session import Session
from embank.store.deletion import drop_column
from embank.store.folder import Store
from embank.training.settings import TrainingWatch


@dataclass(frozen=True)
class DroppedColumn:
    """A column that a bank lost because the prefix that made it is gone.

    Attributes:
        bank: its folder.
        column: its name.
        tasks: those that read it and have to be fitted again.
    """

    bank: Path
    column: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PrefixChange:
    """A prefix that was trained and put in its place.

    Attributes:
        trained: the prefix and how it came about.
        dropped: columns that banks lost by it.
    """

    trained: TrainedPrefix
    dropped: tuple[DroppedColumn, ...]


class Prefixes:
    """A frozen encoder with a trained prefix for each source task, as a folder.

    >>> prefixes = Prefixes("house")  # doctest: +SKIP
    >>> prefixes.add(Source("urgent", texts, labels))  # doctest: +SKIP
    """

    def __init__(
        self, folder: str | Path, options: BankOptions | None = None, *, banks: Sequence[str | Path] = ()
    ) -> None:
        """Work on a folder.

        Args:
            folder: of prefixes; `add` makes it if it does not exist.
            options: how the encoder reads texts, as for a bank.
            banks: folders of banks that lose the columns which a change makes void.
        """
        self.folder = Path(folder)
        self._options = options or BankOptions()
        self._banks = tuple(map(Path, banks))
        self._opened: tuple[TransformerEncoder, EncoderReference] | None = None

    def read(self) -> PrefixFolder:
        """The encoder that the prefixes stand on, and all of them.

        Raises:
            UsageError: there is no such folder.
            EncoderError: it cannot be read.
        """
        return read_prefix_folder(self.folder)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the prefixes; empty if the folder does not exist yet."""
        return tuple(prefix.name for prefix in self.read().prefixes) if self.folder.exists() else ()

    def check_name(self, name: str) -> None:
        """Refuse malformed names of prefixes.

        Raises:
            UsageError: the message says what names are made of.
        """
        valid_prefix_name(name)

    def add(
        self,
        source: Source,
        settings: PrefixSettings = PrefixSettings(),  # noqa: B008 - a frozen value
        *,
        encoder: str | None = None,
        combine: str | None = None,
        watch: TrainingWatch = lambda _: None,
    ) -> PrefixChange:
        """Train a prefix for a source task that has none yet; a new folder is made for the first one.

        Args:
            source: what is learned from; its name becomes the prefix's.
            settings: how.
            encoder: what a new folder stands on: "minilm", a folder, or a hub name. None: minilm, or what it stands on.
            combine: how a new folder is read by default: "apart" (None) or "together".
            watch: progress callback, called after every step.

        Raises:
            UsageError: the name is there already or cannot be one, or the folder is read otherwise.
            EncoderError: the folder stands on an encoder of other weights or tokens.
            HeadError: too few labels, or training went astray.
        """
        if source.name in self.names:
            raise UsageError(f"{self.folder} has a prefix {source.name!r} already: replace it")
        return self._train(source, settings, encoder, combine, watch)

    def replace(
        self,
        source: Source,
        settings: PrefixSettings = PrefixSettings(),  # noqa: B008 - a frozen value
        *,
        watch: TrainingWatch = lambda _: None,
    ) -> PrefixChange:
        """Train a source task's prefix anew; until that is done, the old one stays.

        Raises:
            UsageError: there is no such prefix.
            EncoderError: the folder stands on an encoder of other weights or tokens than are found now.
            HeadError: too few labels, or training went astray.
        """
        self.read().named(source.name)
        return self._train(source, settings, None, None, watch)

    def remove(self, name: str) -> tuple[DroppedColumn, ...]:
        """Remove a prefix without a trace: its file, and in the banks the columns that it made.

        Raises:
            UsageError: there is no such prefix.
        """
        there = self.read()
        dropped = self._dropped({there.named(name).digest, digest_together(there.prefixes)})
        drop_prefix(self.folder, name)
        return dropped

    def _train(
        self, source: Source, settings: PrefixSettings, place: str | None, combine: str | None, watch: TrainingWatch
    ) -> PrefixChange:
        self.check_name(source.name)
        encoder, reference = self._encoder(place, combine)
        checkpoint = self.folder.with_name(f"{self.folder.name}.{source.name}.training.safetensors")
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        found = train_prefix(encoder, source, settings, checkpoint, watch)
        if not self.folder.exists():
            create_prefix_folder(self.folder, reference)
        there = self.read()
        void = {digest_together(there.prefixes)} if len(there.prefixes) > 1 else set()
        void |= {prefix.digest for prefix in there.prefixes if prefix.name == source.name}
        dropped = self._dropped(void)
        put_prefix(self.folder, source.name, (found.keys, found.values), found.from_layer, found.record)
        checkpoint.unlink(missing_ok=True)
        return PrefixChange(found, dropped)

    def _encoder(self, place: str | None, combine: str | None) -> tuple[TransformerEncoder, EncoderReference]:
        """The encoder that prefixes are trained on, opened once, and its reference for a new folder."""
        known = self.read().reference if self.folder.exists() else None
        if known is not None and combine not in (None, known.combine):
            raise UsageError(f"{self.folder} is read {known.combine}; to read it {combine}, name it with #{combine}")
        if self._opened is None:
            stands_on = known.encoder if known else DEFAULT
            local = self._options.local_files_only
            located = locate(place or stands_on, self._options.reading, local_files_only=local)
            reading = located.reading
            reference = EncoderReference(
                encoder=located.origin,
                weights=reading.weights,
                tokenizer=reading.tokenizer,
                layers=located.layers,
                width=located.width,
                combine=combine or APART,
            )
            if known and (known.weights, known.tokenizer) != (reference.weights, reference.tokenizer):
                raise EncoderError(
                    f"{self.folder} stands on {stands_on}, and {place or stands_on} has other weights or tokens"
                )
            self._opened = open_torch_encoder(located), reference
        return self._opened

    def _dropped(self, digests: Collection[str]) -> tuple[DroppedColumn, ...]:
        """Drop columns that had these prefixes, or all of the folder's, from the banks."""
        found = []
        for bank in self._banks:
            with Store(bank) as store:
                session = Session(store, self._options)
                for column in self._void(store, digests):
                    tasks = drop_column(store, column, session.encoders_in_use)
                    found.append(DroppedColumn(bank, column, tuple(tasks)))
        return tuple(found)

    def _void(self, store: Store, digests: Collection[str]) -> list[str]:
        """Columns of a bank that these prefixes made, and all that any set of this folder made together."""
        origin = f"{self.folder.resolve()}#{TOGETHER}"
        sets = {name for name, (_, facts) in store.catalogue.encoders().items() if facts.get("origin") == origin}
        return [
            name
            for name, column in store.catalogue.columns().items()
            if column.recipe.reading.prefix in digests or ColumnName.parse(name).encoder in sets
        ]
