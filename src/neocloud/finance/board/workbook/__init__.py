"""The statements as a workbook with live formulas, because lenders check in one."""

from neocloud.finance.board.workbook.sheets import Heading, Places, Row, Sheet
from neocloud.finance.board.workbook.write import (
    HEAD,
    MissingXlsxError,
    sheets_of,
    write_workbook,
)

__all__ = [
    "HEAD",
    "Heading",
    "MissingXlsxError",
    "Places",
    "Row",
    "Sheet",
    "sheets_of",
    "write_workbook",
]
