"""The page of a report: one HTML file that needs nothing else, light and dark, on a phone and on paper."""

from collections.abc import Sequence
from html import escape

from embank.reports.figures import style_sheet

_STYLE = """
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; margin: 0 auto;
  max-width: 64rem; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; }
h2 { border-top: 1px solid var(--rule); font-size: 1.3rem; line-height: 1.3; margin: 2.5rem 0 .5rem;
  padding-top: 1.5rem; }
h3 { font-size: 1rem; line-height: 1.35; margin: 0 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; }
.note, figcaption, caption { color: var(--faint); font-size: .88rem; line-height: 1.45; }
.advice { border-left: 4px solid var(--series-0); margin: 1.2rem 0; padding: .1rem 0 .1rem 1rem; }
.advice strong { display: block; font-size: 1.1rem; }
.figures { display: grid; gap: 1.5rem 2.5rem; margin: 1.5rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { break-inside: avoid; margin: 0; min-width: 0; }
svg { display: block; height: auto; max-width: 34rem; width: 100%; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; width: 100%; }
caption { padding-bottom: .5rem; text-align: left; }
caption span { display: block; left: 0; max-width: min(46rem, calc(100vw - 2rem)); position: sticky; }
th, td { border-bottom: 1px solid var(--rule); padding: .35rem 0 .35rem .9rem; text-align: right; white-space: nowrap; }
th { color: var(--faint); font-weight: 500; vertical-align: bottom; }
th:first-child, td:first-child, .words { padding-left: 0; text-align: left; }
td.words { min-width: 12rem; padding-right: 1.2rem; white-space: normal; }
tr.chosen td { font-weight: 650; }
@media (max-width: 40rem) { h1 { font-size: 1.4rem; } th:first-child, td:first-child { background: var(--paper);
  left: 0; position: sticky; } }
@media print { body { font-size: 11pt; max-width: none; padding: 0; } h2 { break-after: avoid; }
  .scroll { overflow: visible; } }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page without any address, script or font; a strict parser of XML takes it as well.

    Args:
        title: of the page, shown as its heading.
        parts: HTML, as the other functions of this module and `figures` return it.
    """
    head = (
        f'<head><meta charset="utf-8"/><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<style>{style_sheet()}{_STYLE}</style></head>"
    )
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return f'<!DOCTYPE html>\n<html lang="en">{head}\n<body>\n{body}\n</body></html>\n'


def heading(words: str) -> str:
    """The heading of a section."""
    return f"<h2>{escape(words)}</h2>"


def paragraph(words: str) -> str:
    """A paragraph."""
    return f"<p>{escape(words)}</p>"


def note(words: str) -> str:
    """A paragraph in small print."""
    return f'<p class="note">{escape(words)}</p>'


def advice(headline: str, words: str) -> str:
    """What to do, and why."""
    return f'<div class="advice"><p><strong>{escape(headline)}</strong> {escape(words)}</p></div>'


def bullets(items: Sequence[str]) -> str:
    """A list."""
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def figures(drawn: Sequence[str]) -> str:
    """Figures side by side where the page is wide, one below the other where it is not."""
    return f'<div class="figures">{"".join(drawn)}</div>'


def table(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, chosen: int | None = None, words: bool = False
) -> str:
    """A table; it scrolls by itself where the page is too narrow.

    Args:
        caption: how to read it.
        heads: of the columns; the first column names the rows.
        rows: as many cells as heads each.
        chosen: number of the row that stands out.
        words: cells are sentences rather than figures.
    """
    mark = ' class="words"' if words else ""
    head = "".join(f'<th{mark} scope="col">{escape(one)}</th>' for one in heads)
    body = []
    for at, row in enumerate(rows):
        stands_out = ' class="chosen"' if at == chosen else ""
        body.append(f"<tr{stands_out}>{''.join(f'<td{mark}>{escape(cell)}</td>' for cell in row)}</tr>")
    return (
        f'<div class="scroll"><table><caption><span>{escape(caption)}</span></caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
