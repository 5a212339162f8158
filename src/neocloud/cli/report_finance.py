"""The finance parts of `neocloud report`: statements, debt, indicators, a lender's packs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import msgspec

from neocloud.books import gather
from neocloud.catalog import Catalog, nearest
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import ledger_of
from neocloud.cli.report_tiers import Tiers
from neocloud.finance.arithmetic import Exact
from neocloud.finance.board import (
    FinanceReport,
    IndicatorReport,
    finance_report,
    indicator_report,
)
from neocloud.finance.indicators import Evidence, Metered, invoiced_sales, read_ledger, summary
from neocloud.finance.inputs import Use, inputs_of, obligations_of, use_of_metered, use_of_plan
from neocloud.finance.lender import LenderPack, lender_pack
from neocloud.finance.model import run
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs
from neocloud.ledger import LedgerError, Reader
from neocloud.planner import Plan
from neocloud.spec import Cloud

_MARK = "A reconstruction"
_ALONE = (
    "No plan: no token is sold beside contracts, and accelerators that stand in pools draw "
    "`finance.power_load`."
)
_COMPANY = "As the file says, month by month."
_PLANNED = "Tokens, and the energy for them, as on the plan's day, growing as the file says."
_METERED = (
    "No plan: tokens, and the energy for them, as on the mean day of the ledger, growing as the "
    "file says."
)
_DAY_S = 86_400.0


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """An exact run of a cloud.

    Attributes:
        cloud: the cloud.
        catalog: the catalog.
        inputs: what was run.
        outcome: what came of it.
        source: where tokens and energy come from, in words.
    """

    cloud: Cloud
    catalog: Catalog
    inputs: Inputs
    outcome: Outcome
    source: str


def no_ground(cloud: Cloud) -> str:
    """Why there can be no finance, in words; empty where there can."""
    finance = cloud.finance
    there = (
        cloud.contracts, finance.assets, finance.debt, finance.equity, finance.merchant,
        finance.costs, finance.opening,
    )  # fmt: skip
    if any(there):
        return ""
    return "the file has no `contracts`, and under `finance` no assets, debt or equity"


def ran(cloud: Cloud, catalog: Catalog, cloud_file: Path, plan: Plan | None) -> Ran:
    """Run the model of a cloud, exactly.

    Tokens are those of the plan's day; without a plan those of the mean day of the ledger, where
    it holds a day or more of engines that are not emulated; else none.
    """
    served = any(site.pools for site in cloud.sites.values())
    use, source = None, _COMPANY
    if plan is not None:
        use, source = use_of_plan(plan), _PLANNED
    elif served:
        use = _use_of_ledger(cloud, catalog, cloud_file)
        source = _ALONE if use is None else _METERED
    inputs = inputs_of(cloud, catalog, use)
    outcome = run(inputs, Exact())
    return Ran(cloud=cloud, catalog=catalog, inputs=inputs, outcome=outcome, source=source)


def _use_of_ledger(cloud: Cloud, catalog: Catalog, cloud_file: Path) -> Use | None:
    """The mean day of what was really used; None of less than a day."""
    try:
        reader = Reader(ledger_of(cloud, cloud_file))
        period = reader.span()
        if period is None or period.seconds < _DAY_S:
            return None
        metered = gather(reader, cloud, catalog, period)
    except LedgerError:
        return None
    rows = [row for row in metered.rows if not row.emulated]
    return use_of_metered(rows, period) if rows else None


def finance_part(done: Ran) -> FinanceReport:
    """Statements, debt and covenants."""
    obligations = obligations_of(done.cloud, done.catalog, done.inputs)
    return finance_report(done.inputs, done.outcome, obligations, done.source)


def indicators_part(done: Ran, cloud_file: Path, tiers: Tiers | None) -> IndicatorReport:
    """The indicators: of the ledger and its documents where they are, else as planned."""
    metered = _metered(done.cloud, cloud_file)
    evidence = Evidence(metered=metered)
    if tiers is not None and metered is not None and not metered.emulated:
        exchange = {done.cloud.currency: Fraction(1)} | {
            currency: Fraction(rate) for currency, rate in done.cloud.exchange_rates.items()
        }
        sales = invoiced_sales(tiers.documents.made, exchange)
        evidence = Evidence(metered=metered, sales=sales)
    return indicator_report(summary(done.inputs, done.outcome, evidence))


def _metered(cloud: Cloud, cloud_file: Path) -> Metered | None:
    """The ledger by month; None where there is none yet."""
    try:
        return read_ledger(Reader(ledger_of(cloud, cloud_file)))
    except LedgerError:
        return None


def lender_part(done: Ran, facility: str | None, month: str | None) -> tuple[LenderPack, ...]:
    """The pack of one facility or all, at the end of a month.

    Raises:
        Failure: there is no debt, no such facility or month.
    """
    keys = tuple(item.key for item in done.inputs.facilities)
    labels = done.outcome.months.labels
    if facility is not None and facility not in keys:
        near = nearest(facility, keys)
        hint = f"Nearest: {', '.join(near)}" if near else f"There are: {', '.join(keys)}"
        raise Failure(f"--facility {facility}: the file has none of that name. {hint}.")
    if month is not None and month not in labels:
        raise Failure(f"--month {month}: the model runs from {labels[0]} to {labels[-1]}.")
    chosen = keys if facility is None else (facility,)
    return tuple(
        lender_pack(done.inputs, done.outcome, key, month or first_payment(done, key))
        for key in chosen
    )


def first_payment(done: Ran, facility: str) -> str:
    """The month of a facility's first interest or principal: fees alone say nothing of cover."""
    lines = done.outcome.facility(facility)
    paid = zip(lines.interest_paid, lines.scheduled, strict=True)
    paying = [month for month, (interest, principal) in enumerate(paid) if interest or principal]
    return done.outcome.months.labels[paying[0] if paying else 0]


def reconstruction(cloud_file: Path) -> str:
    """What a file says of itself where its first comment begins with `A reconstruction`.

    Its first sentence; empty of any other file.
    """
    words: list[str] = []
    for line in cloud_file.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or not text:
            break
        words.append(text)
    said = " ".join(words)
    return said.partition(". ")[0].rstrip(".") + "." if said.startswith(_MARK) else ""
