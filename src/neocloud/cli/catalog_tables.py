"""What the catalog holds, as tables for people: figures in the units that sheets print."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
from rich.console import Console

from neocloud.catalog import (
    Accelerator,
    Architecture,
    Fact,
    Figure,
    Metro,
    MetroPower,
    PriceList,
    RentalPrice,
    RentalRange,
    Sheet,
)
from neocloud.cli.tables import significant, table

LEFT, RIGHT = "left", "right"
_WIDTH = 160
"""Columns where standard output is no terminal: nothing of a table is cut off."""
_SCALES = {"B": (1e9, "GB"), "B/s": (1e9, "GB/s"), "FLOP/s": (1e12, "TFLOP/s")}
"""A figure's unit in the catalog: what one of the shown units is, and its name."""
_LABELS = {
    "memory_bytes": "memory",
    "memory_bytes_per_s": "memory bandwidth",
    "bf16_flops": "bf16, dense",
    "fp8_flops": "fp8, dense",
    "fp4_flops": "fp4, dense",
    "int8_flops": "int8, dense",
    "scale_up_bytes_per_s": "scale-up link, one way",
    "scale_out_bytes_per_s": "network, one way",
    "scale_up_domain": "scale-up domain",
    "node_accelerators": "in a node",
    "tdp_w": "board power",
    "node_power_w": "node power",
    "all_in_power_w": "power, all in",
    "rack_power_w": "rack power",
    "capex_usd": "price, installed",
    "price_per_mwh": "price",
    "carbon_g_per_kwh": "carbon",
}


def show(title: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the last column may wrap on a terminal that is too narrow."""
    made = table(title, columns, rows)
    made.columns[-1].no_wrap = False
    width = None if sys.stdout.isatty() else _WIDTH
    Console(width=width, highlight=False, soft_wrap=False).print(made)


def show_accelerators(found: Sequence[tuple[Accelerator, RentalRange | None]]) -> None:
    """One line an accelerator."""
    rows = [
        [
            chip.key,
            *map(_scaled, (chip.memory_bytes, chip.memory_bytes_per_s)),
            *(_scaled(chip.flops[name]) for name in ("bf16", "fp8", "fp4", "int8")),
            _scaled(chip.scale_up_bytes_per_s),
            str(chip.scale_up_domain),
            _scaled(chip.scale_out_bytes_per_s),
            _scaled(chip.tdp_w),
            _money(rental.median) if rental else "-",
            "" if chip.measured else "not measured",
        ]
        for chip, rental in found
    ]
    show(
        "Accelerators: memory GB and GB/s, dense TFLOP/s, links GB/s one way, rented USD/h",
        [("key", LEFT), ("memory", RIGHT), ("GB/s", RIGHT), ("bf16", RIGHT), ("fp8", RIGHT),
         ("fp4", RIGHT), ("int8", RIGHT), ("link", RIGHT), ("of", RIGHT), ("network", RIGHT),
         ("W", RIGHT), ("USD/h", RIGHT), ("", LEFT)],
        rows,
    )  # fmt: skip


def show_models(found: Sequence[Architecture]) -> None:
    """One line a model."""
    show(
        "Models: parameters in billions",
        [("name", LEFT), ("parameters", RIGHT), ("active", RIGHT), ("layers", RIGHT),
         ("context", RIGHT), ("precision", LEFT)],
        [
            [m.name, f"{m.parameters / 1e9:.1f}", f"{m.active_parameters / 1e9:.1f}",
             str(m.layer_count), f"{m.max_context:,}", m.checkpoint_precision]
            for m in found
        ],
    )  # fmt: skip


def show_layers(architecture: Architecture) -> None:
    """The groups of like layers, side by side."""
    groups = [msgspec.to_builtins(group) for group in architecture.layers]
    show(
        "Layers of one shape",
        [("", LEFT), *((f"{n + 1}", RIGHT) for n in range(len(groups)))],
        [[name.replace("_", " "), *(_plain(g[name]) for g in groups)] for name in groups[0]],
    )


def show_metros(found: Sequence[Metro]) -> None:
    """One line a metro."""
    show(
        "Metros, most people online first",
        [("key", LEFT), ("name", LEFT), ("country", LEFT), ("region", LEFT), ("zone", LEFT),
         ("people online", RIGHT), ("data centers", LEFT)],
        [
            [m.key, m.name, m.country, m.region, m.zone, f"{m.internet_users:,}",
             "yes" if m.dc_market else ""]
            for m in found
        ],
    )  # fmt: skip


def show_power(found: Sequence[MetroPower]) -> None:
    """One line a metro's power."""
    show(
        "Power: price a MWh, carbon over the life cycle in g/kWh, markets of the hourly shapes",
        [("metro", LEFT), ("price", RIGHT), ("", LEFT), ("grade", LEFT), ("date", LEFT),
         ("shape", LEFT), ("carbon", RIGHT), ("zone", LEFT), ("shape", LEFT)],
        [
            [p.metro, _scaled(p.price_per_mwh), p.currency, p.price_per_mwh.grade,
             p.price_per_mwh.date, p.price_shape.key or "flat", _scaled(p.carbon_g_per_kwh),
             p.carbon_zone, p.carbon_shape.key or "flat"]
            for p in found
        ],
    )  # fmt: skip


def show_shapes(found: MetroPower) -> None:
    """Price and carbon by hour of the day: a mean day, winter and summer of the north."""
    seasons = ("dec-feb", "jun-aug")
    columns = [("UTC", LEFT)]
    days: list[tuple[float, ...]] = []
    for name, shape in (("price", found.price_shape), ("carbon", found.carbon_shape)):
        columns += [(name, RIGHT), *((f"{name} {season}", RIGHT) for season in seasons)]
        days += [shape.by_utc_hour, *(shape.by_season[season] for season in seasons)]
    rows = [
        [f"{hour:02d}", *(f"{value:.2f}" for value in values)]
        for hour, values in enumerate(zip(*days, strict=True))
    ]
    show("By hour of the day, over the yearly mean", columns, rows)


def show_ranges(found: Sequence[RentalRange]) -> None:
    """One line an accelerator's price."""
    show(
        "Rented on demand, USD per accelerator and hour; each seller counts once in the median",
        [("accelerator", LEFT), ("lowest", RIGHT), ("median", RIGHT), ("highest", RIGHT),
         ("sellers", RIGHT), ("latest", LEFT)],
        [
            [r.accelerator, *map(_money, (r.low, r.median, r.high)), str(r.sellers), r.date]
            for r in found
        ],
    )  # fmt: skip


def show_prices(found: PriceList) -> None:
    """All prices of one name."""
    spread = [("low", RIGHT), ("median", RIGHT), ("high", RIGHT)]
    if found.rentals:
        show(
            f"{found.name}: rented, USD per accelerator and hour",
            [("accelerator", LEFT), ("provider", LEFT), ("term", LEFT), ("region", LEFT),
             *spread, ("offers", RIGHT), ("date", LEFT), ("source", LEFT)],
            [
                [r.accelerator, r.provider, _term(r), r.region,
                 *map(_money, (r.low, r.median, r.high)), str(r.offers), r.date, r.source]
                for r in found.rentals
            ],
        )  # fmt: skip
    if found.regions:
        show(
            f"{found.name}: where the sellers stand",
            [("provider", LEFT), ("region", LEFT), ("metro", LEFT), ("grade", LEFT),
             ("source", LEFT), ("note", LEFT)],
            [
                [r.provider, r.region or "all", r.metro, r.grade, r.source, r.note]
                for r in found.regions
            ],
        )  # fmt: skip
    if found.history:
        show(
            f"{found.name}: rented, month by month",
            [("accelerator", LEFT), ("provider", LEFT), ("term", LEFT), ("month", LEFT),
             *spread, ("days", RIGHT), ("source", LEFT)],
            [
                [m.accelerator, m.provider, m.tier, m.month,
                 *map(_money, (m.low, m.median, m.high)), str(m.days), m.source]
                for m in found.history
            ],
        )  # fmt: skip
    if found.tokens:
        show(
            f"{found.name}: USD per million tokens",
            [("provider", LEFT), ("model", LEFT), ("input", RIGHT), ("cached", RIGHT),
             ("output", RIGHT), ("status", LEFT), ("date", LEFT), ("source", LEFT)],
            [
                [t.provider, t.model, *map(_exact, (t.input, t.cached_input, t.output)),
                 t.status, t.date, t.source]
                for t in found.tokens
            ],
        )  # fmt: skip


def _term(offer: RentalPrice) -> str:
    return f"{offer.term_months} months" if offer.term_months else offer.tier


def show_sheet(sheet: Sheet) -> None:
    """All facts of one name, and what their sources are."""
    show(
        f"{sheet.key}: {sheet.kind}",
        [("", LEFT), ("value", RIGHT), ("", LEFT), ("grade", LEFT), ("source", LEFT),
         ("date", LEFT), ("note", LEFT)],
        [
            [_LABELS.get(f.name, f.name.replace("_", " ")), *_shown(f), f.grade, f.source, f.date,
             f.note]
            for f in sheet.facts
        ],
    )  # fmt: skip
    show_sources({key: origin.title for key, origin in sheet.sources.items()})


def show_sources(titles: Mapping[str, str]) -> None:
    """What each key of a source stands for."""
    show("Sources", [("key", LEFT), ("what it is", LEFT)], [list(pair) for pair in titles.items()])


def _shown(fact: Fact) -> tuple[str, str]:
    """A fact's value and unit for people."""
    value = fact.value
    if value is None:
        return "unknown", ""
    if isinstance(value, bool):
        return ("yes" if value else "no"), ""
    if isinstance(value, Decimal):
        return _money(value), fact.unit
    if fact.unit in _SCALES and not isinstance(value, str):
        scale, unit = _SCALES[fact.unit]
        return _plain(value / scale), unit
    return _plain(value), fact.unit


def _plain(value: object) -> str:
    if isinstance(value, float) and not value.is_integer():
        return significant(value, 5)
    if isinstance(value, int | float) and abs(value) >= 10_000:
        return f"{value:,.0f}"
    return str(int(value)) if isinstance(value, float) else str(value)


def _scaled(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    scale, _ = _SCALES.get(figure.unit, (1.0, figure.unit))
    value = figure.value / scale
    return f"{value:.0f}" if value >= 100 else significant(value, 3)


def _money(value: Decimal) -> str:
    """To the cent."""
    return f"{value:.2f}"


def _exact(value: Decimal | None) -> str:
    """As it is, with two decimals at least."""
    if value is None:
        return "-"
    return format(value, "f") if value.as_tuple().exponent in range(-9, -1) else f"{value:.2f}"
