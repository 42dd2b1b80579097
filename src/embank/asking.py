"""A user's rows on their way to predictions: numbered, and encoded first where the bank lacks them."""

from collections.abc import Iterable, Iterator
from itertools import repeat

from embank.encoding import EncodeReport, TextBlock, Watch
from embank.encoding.sessions import Encoders
from embank.prediction.answering import Numbered


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
