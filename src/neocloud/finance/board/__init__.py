"""Finance for whoever decides: text, tables, a page with charts, a workbook with live formulas."""

from neocloud.finance.board.document import Document, LeftOut
from neocloud.finance.board.figures import GRAINS, Grain
from neocloud.finance.board.indicator_records import IndicatorReport
from neocloud.finance.board.indicator_text import indicator_text
from neocloud.finance.board.make import finance_report
from neocloud.finance.board.measured import indicator_report
from neocloud.finance.board.page import page_of
from neocloud.finance.board.records import FinanceReport
from neocloud.finance.board.tables import finance_csv, indicator_csv
from neocloud.finance.board.text import finance_text, reconstruction_lines

__all__ = [
    "GRAINS",
    "Document",
    "FinanceReport",
    "Grain",
    "IndicatorReport",
    "LeftOut",
    "finance_csv",
    "finance_report",
    "finance_text",
    "indicator_csv",
    "indicator_report",
    "indicator_text",
    "page_of",
    "reconstruction_lines",
]
