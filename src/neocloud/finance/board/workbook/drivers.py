"""The sheet of inputs: what the model is driven by, month by month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from neocloud.finance.board.statements import merchant_name
from neocloud.finance.board.workbook.sheets import Heading, Row, Sheet
from neocloud.finance.outcome import Line, Outcome
from neocloud.finance.records import Inputs
from neocloud.units import PICO


def money(line: Line) -> tuple[float, ...]:
    """A line in units of the currency: the nearest floats, which is what a cell holds."""
    return tuple(value / PICO for value in line)


def lags(inputs: Inputs, days: int) -> list[tuple[float, ...]]:
    """Of each month, the share of what was invoiced so many months before that is still unpaid.

    As `model.working` counts: the invoices of the last `days` days, each month's even over its
    days. The last element is the share of what was unpaid before the first month.
    """
    months = inputs.months
    shares: list[list[float]] = []
    before: list[float] = []
    for month in range(months.count):
        left, back = days, month
        row = []
        while left > 0 and back >= 0:
            length = months.days(back)
            row.append(float(Fraction(min(left, length), length)))
            left -= length
            back -= 1
        shares.append(row)
        before.append(left / days if left > 0 else 0.0)
    most = max(map(len, shares), default=0)
    columns = [tuple(row[at] if at < len(row) else 0.0 for row in shares) for at in range(most)]
    return [*columns, tuple(before)]


def later(kind: str, invoiced: str, count: int, month: int) -> str:
    """The formula of what is unpaid at the end of a month; see `lags`."""
    lagged = range(min(count, month + 1))
    parts = [f"{{{invoiced}@{lag}}}*{{{kind}.{lag}}}" for lag in lagged]
    return "+".join([f"{{{kind}.open}}*{{{kind}.before$}}", *parts])


def inputs_sheet(inputs: Inputs, outcome: Outcome) -> Sheet:
    """The drivers. Blue cells are inputs: change one, and all that follows from it moves."""
    return Sheet(
        name="Inputs",
        about="What the statements follow from. Blue figures are inputs, black ones formulas.",
        rows=(
            *_policies(inputs),
            Heading("Calendar"),
            *_calendar(inputs),
            Heading("Revenue"),
            *_revenue(inputs, outcome),
            Heading("Operating cost"),
            *(
                Row(key=f"in.cost.{kind}", name=kind.replace("_", " "), values=money(line))
                for kind, line in outcome.income.costs.items()
            ),
            Heading("Prepayments and working capital"),
            *_prepayments(outcome),
            *_lag_rows(inputs, "receivable", inputs.policies.receivable_days),
            *_lag_rows(inputs, "payable", inputs.policies.payable_days),
            Heading("Assets"),
            *_assets(inputs, outcome),
            Heading("Owners, and what is missing"),
            Row(key="in.equity", name="equity paid in", values=money(outcome.cash.equity)),
            Row(
                key="in.distributions", name="paid out to owners",
                values=tuple(-v for v in money(outcome.cash.distributions)),
                comment="Of the cash above the minimum, where no facility locks it up; the model's "
                "figures stand here as they are.",
            ),
            Row(
                key="in.shortfall", name="bills left unpaid, at the end",
                values=money(outcome.balance.shortfall), before=0.0,
                comment="Owed without interest until there is cash again.",
            ),
        ),
    )  # fmt: skip


def _policies(inputs: Inputs) -> Iterable[Row | Heading]:
    policies, opening = inputs.policies, inputs.opening
    reserves = sum(item.opening_reserve for item in inputs.facilities)
    prepaid = sum(item.opening_prepaid for item in inputs.contracts)
    debt = sum(item.opening for item in inputs.facilities if item.kind != "lease")
    leases = sum(item.opening for item in inputs.facilities if item.kind == "lease")
    owned = sum(item.opening_cost - item.opening_depreciation for item in inputs.assets) + leases
    has = opening.cash + reserves + opening.receivables + owned
    retained = has - opening.payables - prepaid - debt - leases - opening.paid_in
    yield Heading("Held for all months, and before the first (column B)")
    yield Row(key="tax.rate", name="tax rate", before=float(policies.tax_rate), style="rate")
    yield Row(
        key="tax.use", name="most of a profit that old losses are set against",
        before=float(policies.loss_use_share), style="rate",
    )  # fmt: skip
    for key, name, pico in (
        ("tax.losses_before", "losses carried forward", opening.tax_losses),
        ("open.cash", "cash", opening.cash),
        ("open.reserves", "reserve accounts", reserves),
        ("receivable.before", "receivables", opening.receivables),
        ("open.property", "assets, net", owned),
        ("payable.before", "payables", opening.payables),
        ("open.prepaid", "prepayments not delivered yet", prepaid),
        ("open.paid_in", "paid-in equity", opening.paid_in),
        ("open.retained", "retained earnings: what balances the rest", retained),
    ):
        yield Row(key=key, name=name, before=pico / PICO)


def _calendar(inputs: Inputs) -> Iterable[Row]:
    months = inputs.months
    starts = [months.start(month).month for month in range(months.count)]
    yield Row(
        key="new_year", name="1 in January", style="plain",
        values=tuple(float(month == 1) for month in starts),
    )  # fmt: skip
    yield Row(
        key="tax_due", name="1 where tax is paid", style="plain",
        values=tuple(float(month % 3 == 0) for month in starts),
        comment="Tax is paid at the end of each calendar quarter.",
    )  # fmt: skip


def revenue_keys(inputs: Inputs) -> list[str]:
    """Keys of the rows of revenue."""
    return [
        *(f"in.contract.{contract.key}" for contract in inputs.contracts),
        *(f"in.merchant.{merchant.key}" for merchant in inputs.merchant),
    ]


def _revenue(inputs: Inputs, outcome: Outcome) -> Iterable[Row]:
    for contract, own in zip(inputs.contracts, outcome.contracts, strict=True):
        yield Row(
            key=f"in.contract.{contract.key}", name=f"{contract.key} ({contract.customer})",
            values=money(own.revenue),
            comment="Delivered in the month, before prepayments are credited.",
        )  # fmt: skip
    for merchant, sold in zip(inputs.merchant, outcome.merchant, strict=True):
        yield Row(
            key=f"in.merchant.{merchant.key}", name=merchant_name(merchant),
            values=money(sold.revenue), comment="Nobody is bound to it.",
        )  # fmt: skip


def _prepayments(outcome: Outcome) -> Iterable[Row]:
    released = [sum(values) for values in zip(*(c.released for c in outcome.contracts))]  # noqa: B905
    yield Row(
        key="in.prepaid", name="prepayments received", values=money(outcome.cash.prepayments),
        comment="A liability until it is delivered for (IFRS 15, ASC 606).",
    )  # fmt: skip
    yield Row(
        key="in.released", name="prepayments credited to invoices",
        values=money(tuple(released) or (0,) * outcome.months.count),
        comment="Revenue stays whole; the invoices are lower by this.",
    )  # fmt: skip


def _lag_rows(inputs: Inputs, kind: str, days: int) -> Iterable[Row]:
    what = "invoices" if kind == "receivable" else "bills"
    shares = lags(inputs, days)
    for lag, column in enumerate(shares[:-1]):
        ago = "of the month" if lag == 0 else f"of {lag} months before"
        yield Row(
            key=f"{kind}.{lag}", name=f"share unpaid of {what} {ago}", values=column, style="rate",
            comment=f"The {what} of the last {days} days are unpaid, a month's even over its days.",
        )  # fmt: skip
    yield Row(
        key=f"{kind}.open", name=f"share unpaid of {what} before the first month",
        values=shares[-1], style="rate",
    )  # fmt: skip


def lag_count(inputs: Inputs, days: int) -> int:
    """How many months back something may be unpaid."""
    return len(lags(inputs, days)) - 1


def _assets(inputs: Inputs, outcome: Outcome) -> Iterable[Row]:
    for asset, own in zip(inputs.assets, outcome.assets, strict=True):
        if any(own.paid):
            yield Row(key=f"in.paid.{asset.key}", name=f"{asset.key}: paid", values=money(own.paid))
        yield Row(
            key=f"in.worn.{asset.key}", name=f"{asset.key}: depreciation",
            values=money(own.depreciation),
            comment=f"In a straight line over {asset.life_months} months (IAS 16, ASC 360)."
            if asset.life_months else "Never: it does not wear off.",
        )  # fmt: skip
    yield Row(
        key="in.worn_interest", name="capitalised interest and right of use: depreciation",
        values=money(_less(outcome.income.depreciation, [a.depreciation for a in outcome.assets])),
    )  # fmt: skip
    yield Row(key="in.proceeds", name="proceeds of sales", values=money(outcome.cash.disposals))
    yield Row(
        key="in.sold", name="book value of what is sold",
        values=money(_less(outcome.cash.disposals, [outcome.income.disposal])),
    )  # fmt: skip
    yield Row(
        key="in.capitalised_paid", name="capitalised interest paid",
        values=tuple(-v for v in money(outcome.cash.capitalised_interest)),
        comment="Interest until in service that is cost of the asset (IAS 23, ASC 835-20).",
    )  # fmt: skip


def asset_keys(inputs: Inputs, outcome: Outcome, what: str) -> list[str]:
    """Keys of the rows of payments (`paid`) or of depreciation (`worn`)."""
    return [
        f"in.{what}.{asset.key}"
        for asset, own in zip(inputs.assets, outcome.assets, strict=True)
        if what == "worn" or any(own.paid)
    ]


def _less(line: Line, others: Sequence[Line]) -> Line:
    return tuple(value - sum(rest) for value, *rest in zip(line, *others, strict=True))
