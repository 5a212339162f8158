"""What a lender asks for, by facility and month: certificate, borrowing base, collateral tape."""

from neocloud.finance.lender.forms import (
    borrowing_base_csv,
    certificate_csv,
    pack_text,
    tape_csv,
)
from neocloud.finance.lender.pack import USUAL, lender_pack, summary
from neocloud.finance.lender.records import (
    SCHEMA,
    Advance,
    BaseLine,
    BorrowingBase,
    Certificate,
    CovenantLine,
    Decay,
    LenderPack,
    LenderPacks,
    TapeLine,
    Terms,
)

__all__ = [
    "SCHEMA",
    "USUAL",
    "Advance",
    "BaseLine",
    "BorrowingBase",
    "Certificate",
    "CovenantLine",
    "Decay",
    "LenderPack",
    "LenderPacks",
    "TapeLine",
    "Terms",
    "borrowing_base_csv",
    "certificate_csv",
    "lender_pack",
    "pack_text",
    "summary",
    "tape_csv",
]
