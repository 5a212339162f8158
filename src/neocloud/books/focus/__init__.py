"""The books as FOCUS datasets: 1.4, and Cost and Usage of 1.2."""

from neocloud.books.focus.check import problems_of
from neocloud.books.focus.columns import Dataset, datasets
from neocloud.books.focus.make import make_export
from neocloud.books.focus.records import (
    BillingPeriod,
    Category,
    ContractCommitment,
    CostAndUsage,
    FocusExport,
    InvoiceDetail,
    InvoiceTotal,
    Version,
)
from neocloud.books.focus.write import Written, write_export

__all__ = [
    "BillingPeriod",
    "Category",
    "ContractCommitment",
    "CostAndUsage",
    "Dataset",
    "FocusExport",
    "InvoiceDetail",
    "InvoiceTotal",
    "Version",
    "Written",
    "datasets",
    "make_export",
    "problems_of",
    "write_export",
]
