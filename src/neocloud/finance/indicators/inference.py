"""How much of the accelerators' time serves models: metered where a ledger is, else planned."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import msgspec

from neocloud.activity import Purpose
from neocloud.finance.indicators.change import Quotient
from neocloud.finance.indicators.metered import Metered
from neocloud.finance.indicators.records import (
    Named,
    Origin,
    Reading,
    Series,
    months_from,
    series_of,
)
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs
from neocloud.units import HOUR_NS

USED = (Purpose.INFERENCE, Purpose.TRAINING, Purpose.BACKFILL, Purpose.TEST)
"""Purposes that are use; what is idle or down is none."""


class HoursMonth(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerator-hours of a month.

    Attributes:
        month: `2026-10`.
        origin: `metered` or `planned`.
        by_use: that were used, by purpose, inference by model too: `inference: llama`.
        sellable: that could be sold, by accelerator; of a month that the ledger covers in part, of
            that part. Empty where it is not known.
    """

    month: str
    origin: Origin
    by_use: Mapping[str, Fraction]
    sellable: Mapping[str, Fraction]

    @property
    def inference(self) -> Mapping[str, Fraction]:
        """Hours that served models, by model."""
        return {k: v for k, v in self.by_use.items() if k.partition(":")[0] == Purpose.INFERENCE}


class InferenceUse(msgspec.Struct, frozen=True, kw_only=True):
    """The indicator.

    Attributes:
        of_used: accelerator-hours serving models over hours used.
        of_sellable: the same over hours that could be sold.
        months: the hours behind it.
        notes: what the reader should know.
    """

    of_used: Series
    of_sellable: Series
    months: tuple[HoursMonth, ...]
    notes: tuple[str, ...]


def inference_use(inputs: Inputs, outcome: Outcome, metered: Metered | None) -> InferenceUse:
    """The indicator: months of the ledger, then those of the model that it has not reached."""
    known = {} if metered is None else _metered(metered)
    labels = inputs.months.labels
    first, last = min([*known, labels[0]]), max([*known, labels[-1]])
    months = []
    for label in months_from(first, last):
        place = labels.index(label) if label in labels else None
        sellable = {} if place is None else _sellable(inputs, place)
        if metered is not None and label in known:
            covered, whole = metered.covered(label)
            share = Fraction(covered, whole)
            months.append(
                HoursMonth(
                    month=label,
                    origin="metered",
                    by_use=known[label],
                    sellable={name: hours * share for name, hours in sellable.items()},
                )
            )
        elif place is not None:
            use = _planned(inputs, outcome, place)
            months.append(HoursMonth(month=label, origin="planned", by_use=use, sellable=sellable))
    return InferenceUse(
        of_used=series_of(
            Named(key="inference.of_used", name="inference over used accelerator-hours",
                  unit="share"),
            [
                Reading(
                    month=month.month, origin=month.origin, unknown="nothing was used",
                    measure=Quotient(over=month.inference, under=month.by_use),
                )
                for month in months
            ],
        ),
        of_sellable=series_of(
            Named(key="inference.of_sellable", name="inference over sellable accelerator-hours",
                  unit="share"),
            [
                Reading(
                    month=month.month, origin=month.origin,
                    unknown="how many hours could be sold is known in months of the model only"
                    if month.month not in labels else "no hours could be sold",
                    measure=Quotient(over=month.inference, under=month.sellable),
                )
                for month in months
            ],
        ),
        months=tuple(months),
        notes=_notes(metered, [month.month for month in months if month.origin == "metered"]),
    )  # fmt: skip


def _notes(metered: Metered | None, months: list[str]) -> tuple[str, ...]:
    if metered is None:
        return ("No ledger was given: all months are as planned.",)
    notes = []
    if metered.emulated:
        notes.append("What is metered is of emulated engines.")
    partly = [month for month in months if metered.covered(month)[0] < metered.covered(month)[1]]
    if partly:
        notes.append(f"The ledger covers a part of {', '.join(partly)}.")
    return tuple(notes)


def _metered(metered: Metered) -> dict[str, dict[str, Fraction]]:
    found: dict[str, dict[str, Fraction]] = {}
    for held in metered.held:
        if held.purpose in USED:
            uses = found.setdefault(held.month, {})
            name = _name(held.purpose, held.model)
            uses[name] = uses.get(name, Fraction(0)) + Fraction(held.nanoseconds, HOUR_NS)
    return found


def _name(purpose: str, model: str) -> str:
    return f"{purpose}: {model}" if purpose == Purpose.INFERENCE and model else purpose


def _sellable(inputs: Inputs, month: int) -> dict[str, Fraction]:
    return {f"sellable: {kind.accelerator}": kind.sellable[month] for kind in inputs.installed}


def _planned(inputs: Inputs, outcome: Outcome, month: int) -> dict[str, Fraction]:
    """Hours by use: contracts at the share that the model counts, then merchant sales."""
    uses: dict[str, Fraction] = {}
    for contract, lines in zip(inputs.contracts, outcome.contracts, strict=True):
        hours = _at(contract.hours, month - lines.shift) * contract.weight
        if hours and contract.purpose in USED:
            name = _name(contract.purpose, contract.model or "")
            uses[name] = uses.get(name, Fraction(0)) + hours
    for merchant in inputs.merchant:
        hours = _at(merchant.hours, month)
        if hours and merchant.purpose in USED:
            name = _name(merchant.purpose, merchant.model or "")
            uses[name] = uses.get(name, Fraction(0)) + hours
    return uses


def _at(hours: tuple[Fraction, ...], month: int) -> Fraction:
    return hours[month] if 0 <= month < len(hours) else Fraction(0)
