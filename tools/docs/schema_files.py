"""JSON Schemas of what the project reads and lays down, from the records themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from neocloud.activity import SCHEMA as ACTIVITY
from neocloud.activity import Row
from neocloud.books import Invoice, UsageSummary
from neocloud.books.backfill import BackfillOutcome, CorrectionOutcome
from neocloud.books.invoices import CreditBalances
from neocloud.books.payments import Receivables
from neocloud.books.rating import RatePreview
from neocloud.books.reconcile import Reconciliation
from neocloud.calibration import Accuracy
from neocloud.cli.ledger import LedgerCheck
from neocloud.finance.board import Document
from neocloud.finance.stress import StressReport
from neocloud.ledger import UsageEvent
from neocloud.ledger.records import SCHEMA as LEDGER
from neocloud.perf.predictor import Calibration
from neocloud.planner import plan_schema
from neocloud.planner.comparison import Comparison
from neocloud.planner.search.front import Front
from neocloud.spec import Validation, cloud_schema


def _record(kind: type[msgspec.Struct], title: str = "") -> Callable[[], dict[str, Any]]:
    """Schema of a record; its own field `schema` names it unless a title is given."""

    def make() -> dict[str, Any]:
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title or fields["schema"].default,
            **msgspec.json.schema(_as_object(kind)),
        }

    return make


def _as_object(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The record as an object of named fields, even if it lies on disk as an array."""
    if not kind.__struct_config__.array_like:
        return kind
    return msgspec.defstruct(
        kind.__name__,
        [
            (field.name, field.type, field.default)
            if field.default is not msgspec.NODEFAULT
            else (field.name, field.type)
            for field in msgspec.structs.fields(kind)
        ],
        namespace={"__doc__": kind.__doc__},
        kw_only=True,
    )


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "cloud": cloud_schema,
    "plan": plan_schema,
    "front": _record(Front),
    "comparison": _record(Comparison),
    "validation": _record(Validation),
    "report": _record(Document),
    "stress": _record(StressReport),
    "rate": _record(RatePreview),
    "backfill": _record(BackfillOutcome),
    "correction": _record(CorrectionOutcome),
    "credit": _record(CreditBalances),
    "invoice": _record(Invoice),
    "receivables": _record(Receivables),
    "reconciliation": _record(Reconciliation),
    "activity": _record(Row, ACTIVITY),
    "usage-event": _record(UsageEvent, LEDGER),
    "usage": _record(UsageSummary),
    "ledger-check": _record(LedgerCheck),
    "accuracy": _record(Accuracy),
    "calibration": _record(Calibration),
}
"""By the name of the file in `schemas/`, without its ending."""


def render(name: str) -> str:
    """One schema as text."""
    return json.dumps(SCHEMAS[name](), indent=1, ensure_ascii=False) + "\n"
