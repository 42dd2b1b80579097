"""Users' files: tables streamed in, predictions written out.

| file | idea |
|---|---|
| `contract` | what a table, a block and a sink are; unknown columns |
| `sources` · `formats` | check all sources, then stream them; which file is what |
| `delimited` · `jsonlines` · `plain` | formats that are lines |
| `arrowfiles` · `saveddatasets` · `labelnames` | formats that are Arrow |
| `streams` · `stretches` | bytes in, rows cut into blocks |
| `writing` · `writers/` | a file that has its name only once it is whole; the formats that can be written |
"""

from embank.tables.contract import Block, Values
from embank.tables.formats import estimated_rows, known_formats
from embank.tables.sources import check, read
from embank.tables.writing import TableWriter, open_writer

__all__ = ["Block", "TableWriter", "Values", "check", "estimated_rows", "known_formats", "open_writer", "read"]
