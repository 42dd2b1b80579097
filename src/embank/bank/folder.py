"""The folder of a bank: created, opened, closed, summarised, verified, and parts of it forgotten; no text is read."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from embank.encode.options import BankOptions
from embank.search.column import full_name
from embank.session import Session
from embank.store import Damage
from embank.store.cache import sweep
from embank.store.catalogue import UNKNOWN
from embank.store.deletion import drop_column, drop_task, drop_texts
from embank.store.folder import Store, is_bank
from embank.store.summary import BankSummary, TaskSummary, summarise, summarise_tasks
from embank.store.verify import Progress, verify


class BankFolder:
    """The folder of a bank.

    Attributes:
        session: store, options and opened encoders.
    """

    def __init__(self, store: Store, options: BankOptions) -> None:
        """Hold an open store; use `Bank.create` or `Bank.open`."""
        self.session = Session(store, options)

    @classmethod
    def create(cls, path: str | Path, options: BankOptions | None = None) -> Self:
        """Make an empty bank.

        Args:
            path: a folder that is empty or does not exist yet.
            options: how encoders read and compute; the defaults serve nearly everybody.

        Raises:
            BankExistsError: the folder is a bank already.
            NotABankError: the folder holds something else.
        """
        return cls(Store.create(Path(path)), options or BankOptions())

    @classmethod
    def open(cls, path: str | Path, options: BankOptions | None = None) -> Self:
        """Open a bank.

        Raises:
            NotABankError: the folder is no bank.
            FormatError: it was made by a newer Embank.
        """
        return cls(Store(Path(path)), options or BankOptions())

    @classmethod
    def open_or_create(cls, path: str | Path, options: BankOptions | None = None) -> Self:
        """Open a bank, or create a new one."""
        return cls.open(path, options) if is_bank(Path(path)) else cls.create(path, options)

    @property
    def path(self) -> Path:
        """The folder."""
        return self.session.store.root

    def close(self) -> None:
        """Close the catalogue. Leaving a `with` block does it too."""
        self.session.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Bank({str(self.path)!r})"

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def __len__(self) -> int:
        """How many distinct texts the bank has."""
        return self.session.store.catalogue.n_texts()

    def full_name(self, column: str | None) -> str:
        """The full name of a column: its codec, and what `own` stands for; of None, that of the one a search takes."""
        return full_name(self.session, column)

    # summaries, checks, forgetting

    def tasks(self) -> list[TaskSummary]:
        """Every task with what it reads and how it scored."""
        return summarise_tasks(self.session.store)

    def summary(self) -> BankSummary:
        """Texts, columns, bytes, encoders, tasks."""
        return summarise(self.session.store)

    def verify(self, progress: Progress = lambda _: None) -> list[Damage]:
        """Check every digest and every row; returns all the damage, empty for a whole bank."""
        return verify(self.session.store, progress)

    def forget_stale(self) -> int:
        """Drop graphs, groups and lengths of columns that are gone, as every forgetting does; returns their bytes."""
        return sweep(self.session.store)

    def forget_task(self, task: str) -> None:
        """Drop a task with its head and labels; an unknown task raises a UsageError."""
        drop_task(self.session.store, task)

    def forget_column(self, column: str) -> list[str]:
        """Drop a column and reclaim its space.

        Returns:
            Tasks that read it, and must be fitted again before they can predict.

        Raises:
            UsageError: unknown column.
        """
        return drop_column(self.session.store, self.full_name(column), self.session.encoders_in_use)

    def forget_ids(self, ids: Sequence[Any]) -> tuple[int, list[Any]]:
        """Drop texts by id, from every column, and reclaim the space. All ids of a dropped text go with it.

        Returns:
            How many texts were dropped, and the ids that the bank does not have.
        """
        numbers = self.session.numbers_of_ids(ids)
        unknown = [name for name, number in zip(ids, numbers.tolist(), strict=True) if number == UNKNOWN]
        return drop_texts(self.session.store, numbers), unknown
