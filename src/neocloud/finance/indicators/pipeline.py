"""What may be sold beside what can be delivered, and how much of it becomes contracts."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import msgspec

from neocloud.finance.indicators.change import Quotient, Total
from neocloud.finance.indicators.records import Measure, Named, Reading, Series, series_of
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Contract, Inputs
from neocloud.units import PICO

NO_HISTORY = (
    "Which deals came into the pipeline when, and which were lost, no file keeps: conversion is of "
    "what the file has, by dates of signing."
)


class Signing(msgspec.Struct, frozen=True, kw_only=True):
    """Contracts that are signed in a month, or expected to be. Values are of the model's months.

    Attributes:
        month: `2026-10`; may lie before the first month of the model.
        signed: keys of signed contracts.
        booked: their value at the expected use, pico-units.
        expected: keys of contracts that may be signed then.
        value: theirs, pico-units.
        weighted: the same, each by its probability.
    """

    month: str
    signed: tuple[str, ...]
    booked: int
    expected: tuple[str, ...]
    value: int
    weighted: int


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """The indicator. Accelerators are those to be delivered in a month.

    Attributes:
        multiple: accelerators of the pipeline over all that can be delivered: in service, not
            spare.
        multiple_weighted: the same, each contract's by its probability.
        multiple_of_free: over what signed contracts leave.
        multiple_of_free_weighted: the same, each contract's by its probability.
        signed: accelerators of signed contracts over all that can be delivered.
        megawatts: megawatts of the pipeline's accelerators over active ones of all sites.
        converted: signed value over signed and open value, of what was or is to be signed by then.
        converted_weighted: the same with what is open counted by its probability.
        open_value: value of what is open at the end of a month, units of the currency.
        open_value_weighted: the same, each contract's by its probability.
        signings: by month of signing.
        notes: what the reader should know.
    """

    multiple: Series
    multiple_weighted: Series
    multiple_of_free: Series
    multiple_of_free_weighted: Series
    signed: Series
    megawatts: Series
    converted: Series
    converted_weighted: Series
    open_value: Series
    open_value_weighted: Series
    signings: tuple[Signing, ...]
    notes: tuple[str, ...]


def pipeline(inputs: Inputs, outcome: Outcome) -> Pipeline:
    """The indicator. A contract that is not signed belongs to the pipeline, extensions too."""
    sheet = _Sheet(inputs, outcome)
    free = "signed contracts leave nothing free"
    nothing = "nothing can be delivered"
    return Pipeline(
        multiple=sheet.over("multiple", "pipeline over capacity", False, False, nothing),
        multiple_weighted=sheet.over(
            "multiple_weighted", "weighted pipeline over capacity", False, True, nothing
        ),
        multiple_of_free=sheet.over(
            "multiple_of_free", "pipeline over free capacity", True, False, free
        ),
        multiple_of_free_weighted=sheet.over(
            "multiple_of_free_weighted", "weighted pipeline over free capacity", True, True, free
        ),
        signed=sheet.series(
            Named(key="pipeline.signed", name="signed over capacity", unit="times"),
            lambda m: Quotient(over=sheet.accelerators(sheet.signed, m), under=sheet.capacity(m)),
            nothing,
        ),
        megawatts=sheet.series(
            Named(key="pipeline.megawatts", name="pipeline over active megawatts", unit="times"),
            sheet.megawatts,
            sheet.no_megawatts,
        ),
        converted=sheet.series(
            Named(key="pipeline.converted", name="signed share of value", unit="share"),
            lambda month: sheet.converted(month, weighted=False),
            "nothing was or is to be signed by then",
        ),
        converted_weighted=sheet.series(
            Named(key="pipeline.converted_weighted", name="signed share of value, open part "
                  "weighted", unit="share"),
            lambda month: sheet.converted(month, weighted=True),
            "nothing was or is to be signed by then",
        ),
        open_value=sheet.series(
            Named(key="pipeline.open_value", name="value of the pipeline", unit=inputs.currency),
            lambda month: Total(amounts=sheet.still_open(month, weighted=False)),
            "",
        ),
        open_value_weighted=sheet.series(
            Named(key="pipeline.open_value_weighted", name="weighted value of the pipeline",
                  unit=inputs.currency),
            lambda month: Total(amounts=sheet.still_open(month, weighted=True)),
            "",
        ),
        signings=signings(inputs),
        notes=(NO_HISTORY,),
    )  # fmt: skip


def signings(inputs: Inputs) -> tuple[Signing, ...]:
    """Contracts by month of signing."""
    found = []
    for month in sorted({contract.signed for contract in inputs.contracts}):
        own = [contract for contract in inputs.contracts if contract.signed == month]
        done = [contract for contract in own if contract.probability == 1]
        open_ = [contract for contract in own if contract.probability < 1]
        found.append(
            Signing(
                month=f"{inputs.months.start(month):%Y-%m}",
                signed=tuple(contract.key for contract in done),
                booked=sum(sum(contract.earned) for contract in done),
                expected=tuple(contract.key for contract in open_),
                value=sum(sum(contract.earned) for contract in open_),
                weighted=sum(round(sum(c.earned) * c.probability) for c in open_),
            )
        )
    return tuple(found)


class _Sheet:
    """Contracts and capacity by month."""

    def __init__(self, inputs: Inputs, outcome: Outcome) -> None:
        self.inputs = inputs
        self.signed = [c for c in inputs.contracts if c.probability == 1]
        self.open = [c for c in inputs.contracts if c.probability < 1]
        self._shifts = {lines.key: lines.shift for lines in outcome.contracts}
        self._each, self.no_megawatts = _megawatts_each(inputs)

    def series(
        self, named: Named, measure: Callable[[int], Measure | None], unknown: str
    ) -> Series:
        """A series over the months of the model."""
        return series_of(
            named,
            [
                Reading(month=label, origin="planned", measure=measure(month), unknown=unknown)
                for month, label in enumerate(self.inputs.months.labels)
            ],
        )

    def over(self, key: str, name: str, free: bool, weighted: bool, unknown: str) -> Series:
        """The pipeline's accelerators over capacity, or over what is free of it."""

        def measure(month: int) -> Measure:
            under = self.capacity(month)
            if free:
                for contract, count in self.accelerators(self.signed, month).items():
                    under[contract] = under.get(contract, Fraction(0)) - count
            return Quotient(
                over=self.accelerators(self.open, month, weighted=weighted), under=under
            )

        return self.series(Named(key=f"pipeline.{key}", name=name, unit="times"), measure, unknown)

    def capacity(self, month: int) -> dict[str, Fraction]:
        """Accelerators in service without spares, by kind."""
        return {
            f"capacity: {kind.accelerator}": Fraction(kind.installed[month] - kind.spare[month])
            for kind in self.inputs.installed
        }

    def accelerators(
        self, contracts: list[Contract], month: int, *, weighted: bool = False
    ) -> dict[str, Fraction]:
        """Accelerators to be delivered, by contract."""
        found = {}
        for contract in contracts:
            at = month - self._shifts[contract.key]
            if 0 <= at < len(contract.accelerators) and contract.accelerators[at]:
                share = contract.probability if weighted else Fraction(1)
                found[contract.key] = contract.accelerators[at] * share
        return found

    def megawatts(self, month: int) -> Measure | None:
        """Megawatts of the pipeline over those that are active."""
        if self._each is None:
            return None
        over = {k: v * self._each for k, v in self.accelerators(self.open, month).items()}
        under = {
            f"active: {power.site}": power.megawatts[month]
            for power in self.inputs.power
            if power.rung == "active"
        }
        return Quotient(over=over, under=under)

    def converted(self, month: int, *, weighted: bool) -> Measure:
        """Value signed by a month over this and what is open and expected by then."""
        done = {c.key: _value(c) for c in self.signed if c.signed <= month}
        due = {
            c.key: _value(c) * (c.probability if weighted else 1)
            for c in self.open
            if c.signed <= month
        }
        return Quotient(over=done, under={**done, **due})

    def still_open(self, month: int, *, weighted: bool) -> dict[str, Fraction]:
        """Value of contracts that are to be signed after a month."""
        return {
            c.key: _value(c) * (c.probability if weighted else 1)
            for c in self.open
            if c.signed > month
        }


def _value(contract: Contract) -> Fraction:
    return Fraction(sum(contract.earned), PICO)


def _megawatts_each(inputs: Inputs) -> tuple[Fraction | None, str]:
    """Megawatts of an accelerator's part of its node, mean of all assets that say it."""
    saying = [a for a in inputs.assets if a.kind == "accelerators" and a.accelerators]
    saying = [asset for asset in saying if asset.megawatts]
    if not saying:
        return None, "no asset says how many megawatts its accelerators draw"
    whole = sum((asset.megawatts for asset in saying), Fraction(0))
    return whole / sum(asset.accelerators for asset in saying), "no site says what is active"
