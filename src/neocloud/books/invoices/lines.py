"""Lines of a document: rated use and charges, each rounded once in the tenant's currency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction

from neocloud.books.contracts import Charge, ChargeKind
from neocloud.books.invoices.money import Exchange, exact
from neocloud.books.invoices.records import Line, LineGroup
from neocloud.books.prices import Meter
from neocloud.books.rating import RatedLine
from neocloud.units import HOUR_NS

_METERS = {
    Meter.INPUT: "input tokens",
    Meter.CACHED_INPUT: "cached input tokens",
    Meter.OUTPUT: "output tokens",
    Meter.REASONING: "reasoning tokens",
}
_CHARGES = {
    ChargeKind.SHORTFALL: "committed, beyond metered use",
    ChargeKind.CARRIED_OVER: "used now, paid as a shortfall before",
    ChargeKind.LAST_RESORT: "tranche of last resort that nobody else bought",
    ChargeKind.SERVICE_CREDIT: "credit for a service level that was missed",
    ChargeKind.MINIMUM: "Minimum spend of the month that was not reached",
    ChargeKind.PREPAYMENT: "prepayment",
    ChargeKind.RELEASE: "paid by prepayment",
}
_GROUPS = tuple(LineGroup)
_CAUSES = tuple(ChargeKind)


def lines_of(
    rated: Iterable[RatedLine], charges: Iterable[Charge], exchange: Exchange, month: str
) -> tuple[Line, ...]:
    """Lines by heading; what is not billed and what comes to nothing is left out.

    Args:
        rated: use; lines that differ only in how requests ended are one.
        charges: of contracts and the like.
        exchange: into the tenant's currency.
        month: of the document; what belongs to another is a correction. Empty for none.
    """
    found = [*_used(rated, exchange, month), *(_charged(c, exchange, month) for c in charges)]
    return tuple(sorted(found, key=_order))


def _order(line: Line) -> tuple[object, ...]:
    meters = [meter.value for meter in Meter]
    meter = meters.index(line.meter) if line.meter else -1
    cause = _CAUSES.index(line.charge) if line.charge else -1
    return (
        _GROUPS.index(line.group), line.month, cause, line.model, line.accelerator, line.contract,
        meter, line.adjustments, line.tier, line.price_version, -(line.unit_price or 0), line.text,
    )  # fmt: skip


def _used(rated: Iterable[RatedLine], exchange: Exchange, month: str) -> Iterator[Line]:
    sums: dict[tuple[object, ...], tuple[RatedLine, int, int]] = {}
    for line in rated:
        if not line.billed:
            continue
        key = (
            line.month, line.meter, line.model, line.accelerator, line.contract, line.adjustments,
            line.tier, line.version, line.since_ns, line.currency, line.unit_pico,
        )  # fmt: skip
        _, quantity, pico = sums.get(key, (line, 0, 0))
        sums[key] = (line, quantity + line.quantity, pico + line.pico)
    for line, quantity, pico in sums.values():
        if quantity or pico:
            yield _use(line, quantity, pico, exchange, month)


def _use(line: RatedLine, quantity: int, pico: int, exchange: Exchange, month: str) -> Line:
    tokens = line.meter.is_tokens
    if tokens:
        text = f"{line.model}, {_METERS[line.meter]}"
    else:
        text = f"{line.accelerator} accelerator-hours" + ("" if line.contract else " on demand")
    text += f", contract {line.contract}" if line.contract else ""
    text += f", tier {line.tier + 1}" if line.tier else ""
    text += "".join(f", {name}" for name in line.adjustments)
    group = LineGroup.TOKENS if tokens else LineGroup.ACCELERATORS
    exact_, amount, residue = _rounded(pico, line.currency, exchange)
    return Line(
        group=group if month in ("", line.month) else LineGroup.CORRECTIONS,
        text=text,
        month=line.month,
        model=line.model,
        meter=line.meter.value,
        accelerator=line.accelerator,
        contract=line.contract,
        adjustments=line.adjustments,
        tier=line.tier,
        price_version=line.version,
        quantity=_quantity(quantity, tokens),
        unit="token" if tokens else "accelerator-hour",
        unit_price=_unit_price(line.unit_pico, tokens),
        price_currency=line.currency,
        exact=exact_,
        amount=amount,
        residue=residue,
    )


def _charged(charge: Charge, exchange: Exchange, month: str) -> Line:
    text = _CHARGES[charge.kind]
    group = LineGroup.MINIMUM if charge.kind is ChargeKind.MINIMUM else LineGroup.CONTRACTS
    exact_, amount, residue = _rounded(charge.pico, charge.currency, exchange)
    counted = bool(charge.quantity)
    return Line(
        group=group if month in ("", charge.month) else LineGroup.CORRECTIONS,
        text=f"{charge.contract}, {text}" if charge.contract else text,
        month=charge.month,
        contract=charge.contract,
        charge=charge.kind,
        quantity=_quantity(charge.quantity, charge.tokens) if counted else None,
        unit=("token" if charge.tokens else "accelerator-hour") if counted else "",
        unit_price=_unit_price(charge.unit_pico, charge.tokens) if counted else None,
        price_currency=charge.currency,
        exact=exact_,
        amount=amount,
        residue=residue,
    )


def _quantity(quantity: int, tokens: bool) -> Decimal:
    """Tokens as they are; accelerator-hours to twelve decimals."""
    if tokens:
        return Decimal(quantity)
    return _short(exact(round(Fraction(quantity * 10**12, HOUR_NS))))


def _unit_price(unit_pico: int, tokens: bool) -> Decimal:
    """Of a million tokens, or of an hour."""
    return _short(exact(unit_pico * 10**6 if tokens else unit_pico))


def _short(value: Decimal) -> Decimal:
    """Without zeros behind the last digit, never as 1E+3."""
    whole = value.to_integral_value()
    return whole.quantize(Decimal(1)) if value == whole else value.normalize()


def _rounded(pico: int, currency: str, exchange: Exchange) -> tuple[Decimal, Decimal, Decimal]:
    """Exact in its own currency; rounded in the tenant's; what rounding added."""
    converted = exchange.pico(pico, currency)
    amount = exchange.rounded(converted)
    return exact(pico), exchange.shown(amount), exact(round(amount - converted))
