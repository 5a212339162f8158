"""Rows of tax on the year to date, as `model.tax` reckons it."""

from __future__ import annotations

from collections.abc import Iterable

from neocloud.finance.board.workbook.drivers import money
from neocloud.finance.board.workbook.sheets import Row
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs
from neocloud.units import PICO


def tax_rows(inputs: Inputs, outcome: Outcome) -> Iterable[Row]:
    """Profit of the year so far, losses, what of them is used, tax of the year, tax paid."""
    policies, months = inputs.policies, outcome.months
    rate, use = float(policies.tax_rate), float(policies.loss_use_share)
    losses, used, profit = inputs.opening.tax_losses / PICO, 0.0, 0.0
    columns: list[tuple[float, float, float, float]] = []
    for month, before_tax in enumerate(outcome.income.before_tax):
        if months.start(month).month == 1:
            losses, profit = losses - used + max(-profit, 0.0), 0.0
        profit += before_tax / PICO
        used = min(max(profit, 0.0) * use, losses)
        columns.append((profit, losses, used, (max(profit, 0.0) - used) * rate))
    profits, left, set_off, whole = zip(*columns, strict=True)
    yield Row(
        key="tax.profit", name="profit of the year so far", values=profits, before=0.0,
        formula="IF({new_year}=1,0,{tax.profit-})+{before_tax}",
    )  # fmt: skip
    yield Row(
        key="tax.losses", name="losses of earlier years", values=left,
        before="{tax.losses_before$}",
        formula="IF({new_year}=1,{tax.losses-}-{tax.used-}+MAX(-{tax.profit-},0),{tax.losses-})",
    )  # fmt: skip
    yield Row(
        key="tax.used", name="of them set against it", values=set_off, before=0.0,
        formula="MIN(MAX({tax.profit},0)*{tax.use$},{tax.losses})",
    )  # fmt: skip
    yield Row(
        key="tax.year", name="tax of the year so far", values=whole, before=0.0,
        formula="(MAX({tax.profit},0)-{tax.used})*{tax.rate$}",
    )  # fmt: skip
    paid = tuple(-value for value in outcome.cash.tax)
    yield Row(
        key="tax.paid", name="tax paid", values=money(paid),
        formula="IF({tax_due}=1,{tax_owed-}+{tax},0)",
        comment="What is owed at the end of each calendar quarter; negative: paid back.",
    )  # fmt: skip
