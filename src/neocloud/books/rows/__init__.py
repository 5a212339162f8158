"""The books as tables for other programs: documents, lines, rated lines, postings."""

from neocloud.books.rows.tables import SCHEMA, TABLES, Selection, Table
from neocloud.books.rows.write import FORMS, MissingPyarrowError, WrittenTable, write_rows

__all__ = [
    "FORMS",
    "SCHEMA",
    "TABLES",
    "MissingPyarrowError",
    "Selection",
    "Table",
    "WrittenTable",
    "write_rows",
]
