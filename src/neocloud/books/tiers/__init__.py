"""Cost and margin of a period by tier: power, accelerator-hour, token."""

from neocloud.books.tiers.accelerators import UnknownPoolError
from neocloud.books.tiers.cells import Cell, Served
from neocloud.books.tiers.documents import Documents, documents_of
from neocloud.books.tiers.groups import BY_DEFAULT, DIMENSIONS
from neocloud.books.tiers.records import TierReport
from neocloud.books.tiers.statement import make_tiers
from neocloud.books.tiers.table import groups_csv
from neocloud.books.tiers.tokens import billed

__all__ = [
    "BY_DEFAULT",
    "DIMENSIONS",
    "Cell",
    "Documents",
    "Served",
    "TierReport",
    "UnknownPoolError",
    "billed",
    "documents_of",
    "groups_csv",
    "make_tiers",
]
