"""What a user asks of a bank: rows on their way to predictions, and whether the arguments of a fit go together."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

from embank.encode import EncodeReport, TextBlock, Watch
from embank.errors import UsageError
from embank.fit import FitSettings
from embank.labels.kinds import APART, check_task_name
from embank.predict.predict import Numbered
from embank.session import Encoders


def numbered(
    encoders: Encoders, blocks: Iterable[TextBlock], seconds: Iterable[TextBlock] | None, watch: Watch
) -> Iterator[Numbered]:
    """Blocks with the numbers of their texts; new texts are added to the bank on the way.

    Args:
        encoders: of the bank.
        blocks: the user's rows.
        seconds: blocks of second texts, as long as `blocks`, or None.
        watch: told after each block what was encoded so far.
    """
    wanted = encoders.own_columns()
    seconds_or_none: Iterable[TextBlock | None] = seconds if seconds is not None else repeat(None)
    total = EncodeReport()
    for block, second in zip(blocks, seconds_or_none, strict=False):
        numbers, report = encoders.numbers(block, wanted)
        total.add(report)
        others = None
        if second is not None:
            others, report = encoders.numbers(second, wanted)
            total.add(report)
        watch(total)
        yield block.ids, numbers, others, block.texts


def labelled(
    task: str, labels: Sequence[Any], given: tuple[Sequence[Any] | None, ...], settings: FitSettings
) -> Sequence[Any]:
    """The texts or ids that labels belong to.

    Args:
        task: its name.
        labels: one a text or id.
        given: texts, ids and second texts, each of them or None.
        settings: of the fit.

    Raises:
        UsageError: neither texts nor ids, or both; unequal lengths; second texts where none are read; a bad name.
    """
    check_task_name(task)
    texts, ids, seconds = given
    found = texts if texts is not None else ids
    if found is None or (texts is not None and ids is not None):
        raise UsageError("fit needs the labelled texts or their ids: give one of texts=... and ids=...")
    if len(found) != len(labels):
        raise UsageError(f"there are {len(found)} texts or ids and {len(labels)} labels; one label a text is needed")
    if (seconds is not None) != (settings.reads == APART):
        takes = "second texts" if settings.reads == APART else "no second texts"
        raise UsageError(f"a task with reads={settings.reads!r} takes {takes}")
    if settings.tail is not None and settings.reads == APART:
        raise UsageError("a tail reads two texts together, as one: give pairs as texts (--pair)")
    return found
