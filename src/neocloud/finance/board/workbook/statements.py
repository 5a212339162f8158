"""The sheets of the three statements: sums, tax, working capital and roll-forwards as formulas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neocloud.finance.board.workbook.drivers import (
    asset_keys,
    lag_count,
    later,
    money,
    revenue_keys,
)
from neocloud.finance.board.workbook.sheets import Heading, Row, Sheet, summed
from neocloud.finance.board.workbook.taxes import tax_rows
from neocloud.finance.outcome import Line, Outcome
from neocloud.finance.records import Inputs

Values = tuple[float, ...]


def _row(
    key: str,
    name: str,
    values: Line | Values,
    formula: str,
    *,
    whole: bool = False,
    before: float | str | None = None,
    comment: str = "",
) -> Row:
    """A row of money by formula; `values` are what the model gives, in pico-units."""
    return Row(
        key=key, name=name, values=money(values), formula=formula, whole=whole, before=before,
        comment=comment,
    )  # fmt: skip


def income_sheet(inputs: Inputs, outcome: Outcome) -> Sheet:
    """Income statement."""
    income = outcome.income
    debt = [facility.key for facility in inputs.facilities]
    costs = [f"in.cost.{kind}" for kind in income.costs]
    interest = summed([f"debt.{key}.interest" for key in debt])
    capitalised = summed([f"debt.{key}.capitalised" for key in debt])
    lines = [
        _row("revenue", "revenue", income.revenue, summed(revenue_keys(inputs)), whole=True,
             comment="All contracts and merchant lines of the sheet Inputs."),
        *(_row(f"cost.{kind}", kind.replace("_", " "), line, f"{{in.cost.{kind}}}")
          for kind, line in income.costs.items()),
        _row("operating_cost", "operating cost", income.operating_cost,
             summed([key.removeprefix("in.") for key in costs]), whole=True),
        _row("ebitda", "EBITDA", income.ebitda, "{revenue}-{operating_cost}", whole=True,
             comment="Earnings before interest, tax, depreciation and amortisation."),
        _row("depreciation", "depreciation", income.depreciation,
             summed([*asset_keys(inputs, outcome, "worn"), "in.worn_interest"])),
        _row("disposal", "gain of disposals", income.disposal, "{in.proceeds}-{in.sold}"),
        _row("interest", "interest", income.interest, f"{interest}-{capitalised}",
             comment="Of all facilities, less what is capitalised."),
        _row("fees", "commitment fees", income.fees, summed([f"debt.{k}.fee" for k in debt])),
        _row("before_tax", "profit before tax", income.before_tax,
             "{ebitda}-{depreciation}+{disposal}-{interest}-{fees}", whole=True),
        _row("tax", "tax", income.tax, "{tax.year}-IF({new_year}=1,0,{tax.year-})",
             comment="Of the year to date, less what earlier months of the year took."),
        _row("net", "net profit", income.net, "{before_tax}-{tax}", whole=True),
    ]  # fmt: skip
    return Sheet(
        name="Income",
        about="Income statement. Tax stands on the profit of a calendar year, losses carried on.",
        rows=(*lines, Heading("Tax on the year to date"), *tax_rows(inputs, outcome)),
    )


def cash_sheet(inputs: Inputs, outcome: Outcome) -> Sheet:
    """Cash flow statement, money out negative."""
    cash = outcome.cash
    loans = [item.key for item in inputs.facilities if item.kind != "lease"]
    debt = [item.key for item in inputs.facilities]
    paid = summed([f"debt.{key}.paid" for key in debt])
    principal = summed([f"debt.{key}.{kind}" for key in debt for kind in ("scheduled", "swept")])
    held = _sum(outcome.balance.cash, outcome.balance.reserves)
    return Sheet(
        name="Cash flow",
        about="Cash flow statement; money out is negative.",
        rows=(
            _row("invoiced", "invoiced in the month", _invoiced(outcome),
                 "{revenue}-{in.released}", comment="Revenue less prepayments credited."),
            _row("receipts", "received from customers", cash.receipts,
                 "{invoiced}+{receivables-}-{receivables}"),
            _row("prepayments", "prepayments received", cash.prepayments, "{in.prepaid}"),
            _row("payments", "paid to suppliers", cash.payments,
                 "-({operating_cost}+{payables-}-{payables})"),
            _row("tax_paid", "tax", cash.tax, "-{tax.paid}"),
            _row("interest_paid", "interest and fees", cash.interest,
                 f"-({paid}-{{in.capitalised_paid}})"),
            _row("operating", "cash of operations", cash.operating,
                 "{receipts}+{prepayments}+{payments}+{tax_paid}+{interest_paid}", whole=True),
            _row("capital", "capital expenditure", cash.capital,
                 summed(asset_keys(inputs, outcome, "paid"), "-")),
            _row("capitalised_interest", "capitalised interest", cash.capitalised_interest,
                 "-{in.capitalised_paid}"),
            _row("disposals", "disposals", cash.disposals, "{in.proceeds}"),
            _row("investing", "cash of investment", cash.investing,
                 "{capital}+{capitalised_interest}+{disposals}", whole=True),
            _row("drawn", "debt drawn", cash.drawn, summed([f"debt.{key}.drawn" for key in loans]),
                 comment="A lease begins without cash."),
            _row("repaid", "debt repaid", cash.repaid, f"-{principal}"),
            _row("equity_paid", "equity paid in", cash.equity, "{in.equity}"),
            _row("distributions", "paid out to owners", cash.distributions, "-{in.distributions}"),
            _row("shortfall_change", "bills left unpaid", cash.shortfall,
                 "{in.shortfall}-{in.shortfall-}"),
            _row("financing", "cash of financing", cash.financing,
                 "{drawn}+{repaid}+{equity_paid}+{distributions}+{shortfall_change}", whole=True),
            _row("change", "change of cash", cash.change, "{operating}+{investing}+{financing}",
                 whole=True),
            _row("held", "cash and reserve accounts at the end", held, "{held-}+{change}",
                 before="{open.cash$}+{open.reserves$}", whole=True),
            Heading("Available for debt service"),
            _row("cfads", "CFADS, prepayments credited", outcome.cfads.credited,
                 "{receipts}+{payments}+{tax_paid}", whole=True,
                 comment="Cash of operations after cost and tax, without prepayments received: "
                 "invoices are lower by what is credited. Covenants are tested on it."),
            _row("cfads_received", "CFADS, prepayments as received", outcome.cfads.received,
                 "{cfads}+{prepayments}"),
        ),
    )  # fmt: skip


def _invoiced(outcome: Outcome) -> Line:
    released = [contract.released for contract in outcome.contracts]
    return tuple(
        revenue - sum(line[month] for line in released)
        for month, revenue in enumerate(outcome.income.revenue)
    )


def _sum(*lines: Line) -> Line:
    return tuple(map(sum, zip(*lines, strict=True)))


def balance_sheet(inputs: Inputs, outcome: Outcome) -> Sheet:
    """Balance sheet at the end of each month."""
    balance = outcome.balance
    return Sheet(
        name="Balance",
        about="At the end of each month. Column B is the balance before the first month.",
        rows=(*_assets(inputs, outcome), *_owed(inputs, outcome), *_equity(inputs, outcome),
              Heading("Check"),
              Row(key="check.balance", name="assets less liabilities and equity",
                  values=(0.0,) * len(balance.cash), whole=True,
                  formula="ROUND({total_assets}-{total_liabilities}-{total_equity},2)",
                  before="ROUND({total_assets$}-{total_liabilities$}-{total_equity$},2)",
                  comment="Must be 0 in each month, whatever is changed.")),
    )  # fmt: skip


def _later(inputs: Inputs, kind: str, invoiced: str) -> tuple[int, str]:
    policies = inputs.policies
    days = policies.receivable_days if kind == "receivable" else policies.payable_days
    return lag_count(inputs, days), invoiced


def _lagged(inputs: Inputs, key: str, name: str, values: Line) -> Row:
    kind = key.removesuffix("s")
    count, invoiced = _later(inputs, kind, "invoiced" if kind == "receivable" else "operating_cost")
    return Row(
        key=key, name=name, values=money(values), before=f"{{{kind}.before$}}",
        formula=lambda month: later(kind, invoiced, count, month),
    )  # fmt: skip


def _assets(inputs: Inputs, outcome: Outcome) -> Iterable[Row | Heading]:
    balance = outcome.balance
    debt = [item.key for item in inputs.facilities]
    leased = summed([f"debt.{i.key}.drawn" for i in inputs.facilities if i.kind == "lease"])
    interest = summed([f"debt.{key}.capitalised" for key in debt])
    reserves = summed([f"debt.{key}.reserve" for key in debt])
    property_ = _sum(balance.construction, balance.assets, balance.right_of_use)
    yield Heading("Assets")
    yield _row("cash", "cash", balance.cash, "{held}-{reserves}", before="{open.cash$}")
    yield _row("reserves", "reserve accounts", balance.reserves, reserves,
               before="{open.reserves$}")  # fmt: skip
    yield _lagged(inputs, "receivables", "receivables", balance.receivables)
    yield _row(
        "property", "assets in construction and in service, right of use", property_,
        f"{{property-}}-{{capital}}+{interest}+{leased}-{{depreciation}}-{{in.sold}}",
        before="{open.property$}",
        comment="Paid for, with capitalised interest and what is leased, less depreciation and "
        "what is sold.",
    )  # fmt: skip
    yield _row("total_assets", "assets", balance.total_assets,
               "{cash}+{reserves}+{receivables}+{property}", whole=True,
               before="{cash$}+{reserves$}+{receivables$}+{property$}")  # fmt: skip


def _owed(inputs: Inputs, outcome: Outcome) -> Iterable[Row | Heading]:
    balance = outcome.balance
    keys = [item.key for item in inputs.facilities]
    yield Heading("Liabilities")
    yield _lagged(inputs, "payables", "payables", balance.payables)
    yield _row("prepaid", "prepayments not delivered yet", balance.contract_liabilities,
               "{prepaid-}+{in.prepaid}-{in.released}", before="{open.prepaid$}",
               comment="Contract liabilities: received, less what was credited.")  # fmt: skip
    yield _row("accrued", "accrued interest", balance.accrued,
               summed([f"debt.{key}.accrued" for key in keys]), before=0.0)  # fmt: skip
    yield _row("tax_owed", "tax owed", balance.tax, "{tax_owed-}+{tax}-{tax.paid}", before=0.0)
    for key, name, line, leases in (
        ("debt", "debt", balance.debt, False),
        ("leases", "leases", balance.leases, True),
    ):
        own = [
            f"debt.{item.key}.closing" for item in inputs.facilities
            if (item.kind == "lease") == leases
        ]  # fmt: skip
        before = "+".join(f"{{{closing}$}}" for closing in own) or 0.0
        yield _row(key, name, line, summed(own), before=before)
    yield _row("shortfall", "bills left unpaid", balance.shortfall, "{in.shortfall}", before=0.0)
    parts = ("payables", "prepaid", "accrued", "tax_owed", "debt", "leases", "shortfall")
    yield _total("total_liabilities", "liabilities", balance.total_liabilities, parts)


def _equity(inputs: Inputs, outcome: Outcome) -> Iterable[Row | Heading]:
    balance = outcome.balance
    converted = summed([f"debt.{item.key}.converted" for item in inputs.facilities])
    yield Heading("Equity")
    yield _row("paid_in", "paid-in equity", balance.paid_in,
               f"{{paid_in-}}+{{in.equity}}+{converted}", before="{open.paid_in$}")  # fmt: skip
    yield _row("retained", "retained earnings", balance.retained,
               "{retained-}+{net}-{in.distributions}", before="{open.retained$}")  # fmt: skip
    yield _total("total_equity", "equity", balance.total_equity, ("paid_in", "retained"))


def _total(key: str, name: str, values: Line, parts: Sequence[str]) -> Row:
    before = "+".join(f"{{{part}$}}" for part in parts)
    return _row(key, name, values, summed(parts), whole=True, before=before)
