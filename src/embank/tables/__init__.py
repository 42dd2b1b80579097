"""Users' files: tables streamed in, predictions written out.

| file | idea |
|---|---|
| `contract` | what a table, a block and a sink are |
| `reading` · `sources` · `formats` | look at all sources, then stream them; which file is what |
| `delimited` · `jsonlines` · `plain` · `standardinput` | formats that are lines |
| `arrowfiles` · `saveddatasets` · `arrowvalues` · `labelnames` | formats that are Arrow |
| `streams` · `stretches` · `missing` | bytes in, rows cut into blocks, columns that are not there |
| `writing` · `sinks/` | a file that has its name only once it is whole; the formats that can be written |
"""

from embank.tables.contract import Block, Values
from embank.tables.counting import estimated_rows
from embank.tables.formats import known_formats
from embank.tables.reading import check, read
from embank.tables.writing import TableWriter, open_writer

__all__ = ["Block", "TableWriter", "Values", "check", "estimated_rows", "known_formats", "open_writer", "read"]
