"""Contracts: what they charge beside metered use, month by month."""

from neocloud.books.contracts.calendar import (
    following,
    index_of,
    month_at,
    month_of,
    months_between,
)
from neocloud.books.contracts.hours import PoolSize, left_by_others, pool_sizes
from neocloud.books.contracts.levels import ServiceWatch
from neocloud.books.contracts.records import (
    Charge,
    ChargeKind,
    ContractMonth,
    ServiceCount,
    Terms,
    TermsPrepayment,
    TermsStep,
)
from neocloud.books.contracts.settle import MonthOfUse, Settled, settle
from neocloud.books.contracts.spans import held_time, joined
from neocloud.books.contracts.terms import committed_in, held_in, pieces_of, terms_of
from neocloud.books.rating import Step, disjoint

__all__ = [
    "Charge",
    "ChargeKind",
    "ContractMonth",
    "MonthOfUse",
    "PoolSize",
    "ServiceCount",
    "ServiceWatch",
    "Settled",
    "Step",
    "Terms",
    "TermsPrepayment",
    "TermsStep",
    "committed_in",
    "disjoint",
    "following",
    "held_in",
    "held_time",
    "index_of",
    "joined",
    "left_by_others",
    "month_at",
    "month_of",
    "months_between",
    "pieces_of",
    "pool_sizes",
    "settle",
    "terms_of",
]
