"""Reports that people read: lines and tables, as plain text on a terminal and as HTML in a notebook."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Table:
    """Rows below titles.

    Attributes:
        titles: one per column.
        rows: cells.
        right: numbers of the columns that are flush right.
        indent: blanks before each line.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[int] = ()
    indent: int = 0

    def __str__(self) -> str:
        """Aligned columns.

        >>> print(Table(["name", "rows"], [["a", "1"], ["bb", "20"]], right=[1]))
        name  rows
        a        1
        bb      20
        """
        widths = [max(len(row[at]) for row in (self.titles, *self.rows)) for at in range(len(self.titles))]
        lines = []
        for row in (self.titles, *self.rows):
            cells = [
                cell.rjust(width) if at in self.right else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append(" " * self.indent + "  ".join(cells).rstrip())
        return "\n".join(lines)

    def html(self) -> str:
        """The same as an HTML table."""
        head = "".join(f"<th>{escape(title)}</th>" for title in self.titles)
        rows = "".join(f"<tr>{''.join(map(self._cell, range(len(row)), row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _cell(self, at: int, cell: str) -> str:
        style = ' style="text-align: right"' if at in self.right else ""
        return f"<td{style}>{escape(cell)}</td>"


class Sheet(ABC):
    """What has a text of several lines: `str` and a notebook show it, `repr` stays what it is."""

    @abstractmethod
    def parts(self) -> Iterable[str | Table]:
        """The lines and tables, in order."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.parts()))

    def _repr_html_(self) -> str:
        parts = (part.html() if isinstance(part, Table) else f"<div>{escape(part)}</div>" for part in self.parts())
        return "".join(parts)
