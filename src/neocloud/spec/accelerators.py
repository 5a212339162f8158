"""Accelerators that a file adds or alters, and the catalog as its cloud sees it."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Final

from neocloud.catalog import (
    Accelerator,
    Catalog,
    DailyShape,
    Figure,
    Grade,
    Metro,
    RoundTrip,
    Trace,
)
from neocloud.spec.fields import optional
from neocloud.spec.kinds import Choice, Money, Number, Text, Whole
from neocloud.spec.references import CatalogKey
from neocloud.spec.traces import TraceFile

_LIKE = "as `like`"
_FROM = "the catalog's figure, with its source"
_DENSE = "Write dense TFLOP/s, not those with sparsity: 989 for an H100 in bf16."

_FIGURES: Final = {
    "memory_bytes": ("memory_gb", 1e9, "B"),
    "memory_bytes_per_s": ("memory_gb_per_s", 1e9, "B/s"),
    "scale_up_bytes_per_s": ("scale_up_gb_per_s", 1e9, "B/s"),
    "scale_out_bytes_per_s": ("scale_out_gb_per_s", 1e9, "B/s"),
    "tdp_w": ("tdp_w", 1.0, "W"),
    "node_power_w": ("node_power_w", 1.0, "W"),
    "all_in_power_w": ("all_in_power_w", 1.0, "W"),
    "rack_power_w": ("rack_power_w", 1.0, "W"),
    "capex_usd": ("capex_usd", 1.0, "USD"),
}
"""Figure of the catalog: the file's key, what one of its units is, unit of the figure."""
_FLOPS: Final = {
    "bf16": "bf16_tflops", "fp8": "fp8_tflops", "fp4": "fp4_tflops", "int8": "int8_tops",
}  # fmt: skip
_PLAIN: Final = ("name", "scale_up_domain", "node_accelerators")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorEntry:
    """An accelerator of one's own, or other figures for one of the catalog."""

    key: str
    like: str = optional(
        CatalogKey("accelerator", "E206", lambda catalog: shipped(catalog).accelerators),
        "Accelerator of the catalog from which every figure comes that is not given here, its "
        "maker's efficiencies included.", default="", shown="the key itself",
        origin="needed where the key is none of the catalog's",
    )  # fmt: skip
    name: str | None = optional(
        Text(100), "Its name for people.", default=None, shown=_LIKE, origin=_FROM
    )
    memory_gb: float | None = optional(
        Number(1, 10_000, remedy="Write gigabytes: 80 for 80,000,000,000 bytes."),
        "Memory.", "GB", default=None, shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    memory_gb_per_s: float | None = optional(
        Number(10, 500_000, remedy="Write gigabytes a second: 3350 for 3.35 TB/s."),
        "Bandwidth of the memory.", "GB/s", default=None, shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    bf16_tflops: float | None = optional(
        Number(1, 1_000_000, remedy=_DENSE), "Dense rate in 16 bit.", "TFLOP/s", default=None,
        shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    fp8_tflops: float | None = optional(
        Number(1, 1_000_000, remedy=_DENSE), "Dense rate in 8 bit.", "TFLOP/s", default=None,
        shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    fp4_tflops: float | None = optional(
        Number(1, 1_000_000, remedy=_DENSE), "Dense rate in 4 bit.", "TFLOP/s", default=None,
        shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    int8_tops: float | None = optional(
        Number(1, 1_000_000, remedy=_DENSE), "Dense rate of operations on 8-bit integers.",
        "Top/s", default=None, shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    scale_up_gb_per_s: float | None = optional(
        Number(1, 100_000, remedy="Write gigabytes a second, one way: 450 for an H100."),
        "Bandwidth of one accelerator into its scale-up fabric, one way.", "GB/s", default=None,
        shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    scale_up_domain: int | None = optional(
        Whole(1, 100_000), "Accelerators that share that fabric.", "accelerators", default=None,
        shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    scale_up_topology: str | None = optional(
        Choice(("switched", "full_mesh")), "Whether any two share the whole bandwidth through a "
        "switch, or each pair has only its own link.", default=None, shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    scale_out_gb_per_s: float | None = optional(
        Number(0.1, 100_000, remedy="Write gigabytes a second, one way: 50 for 400 Gbit/s."),
        "Bandwidth of one accelerator to other nodes, one way.", "GB/s", default=None,
        shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    tdp_w: float | None = optional(
        Number(10, 20_000, remedy="Write watts: 700 for 0.7 kW."),
        "Power of the board at its limit.", "W", default=None, shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    node_accelerators: int | None = optional(
        Whole(1, 1024), "Accelerators in a node.", "accelerators", default=None, shown=_LIKE,
        origin=_FROM,
    )  # fmt: skip
    node_power_w: float | None = optional(
        Number(50, 1_000_000, remedy="Write watts: 10200 for 10.2 kW."),
        "Power of a whole node at its limit.", "W", default=None, shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    all_in_power_w: float | None = optional(
        Number(10, 50_000, remedy="Write watts: 1400 for 1.4 kW."),
        "Power of one with its share of servers, network and cooling.", "W", default=None,
        shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    rack_power_w: float | None = optional(
        Number(100, 10_000_000, remedy="Write watts: 132000 for 132 kW."), "Power of a rack.",
        "W", default=None, shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    cooling: str | None = optional(
        Choice(("air", "liquid")), "`liquid` where air alone does not cool it.", default=None,
        shown=_LIKE, origin=_FROM,
    )  # fmt: skip
    capex_usd: Decimal | None = optional(
        Money(0, 10_000_000), "Price of one, installed, with its share of server, network and "
        "storage.", "USD", default=None, shown=_LIKE, origin=_FROM,
    )  # fmt: skip

    def accelerator(self, catalog: Catalog) -> Accelerator:
        """The accelerator that it describes; figures of the file are graded as published."""
        base = catalog.accelerator(self.like or self.key)
        changes: dict[str, object] = {"key": self.key}
        for attribute, (name, unit, noun) in _FIGURES.items():
            value = getattr(self, name)
            if value is not None:
                changes[attribute] = _figure(float(value) * unit, noun)
        flops = dict(base.flops)
        for precision, name in _FLOPS.items():
            value = getattr(self, name)
            if value is not None:
                flops[precision] = _figure(value * 1e12, "FLOP/s")
        changes["flops"] = MappingProxyType(flops)
        for name in _PLAIN:
            if getattr(self, name) is not None:
                changes[name] = getattr(self, name)
        # Measured results stand behind the very kind, not behind one with other figures.
        changes["measured"] = base.measured and changes == {"key": base.key, "flops": base.flops}
        if self.cooling is not None:
            changes["liquid_cooled"] = self.cooling == "liquid"
        if self.scale_up_topology is not None:
            changes["full_mesh"] = self.scale_up_topology == "full_mesh"
        return replace(base, **changes)  # type: ignore[arg-type]


def shipped(catalog: Catalog) -> Catalog:
    """The catalog without what a file adds to it."""
    return catalog.shipped if isinstance(catalog, CloudCatalog) else catalog


def _figure(value: float, unit: str) -> Figure:
    return Figure(value, unit, "cloud-file", "", Grade.PUBLISHED, "given in the cloud file")


class CloudCatalog(Catalog):
    """The catalog as one cloud sees it: its file's accelerators and traces beside its own.

    Its content hash is the catalog's: what the file adds is in the hash of the cloud.
    """

    def __init__(
        self,
        catalog: Catalog,
        accelerators: Mapping[str, Accelerator],
        traces: Mapping[str, TraceFile],
    ) -> None:
        self.shipped = catalog
        self._added = accelerators
        self._traces = traces

    @cached_property
    def accelerators(self) -> Mapping[str, Accelerator]:
        """Those of the catalog, with the file's in their place or after them."""
        return MappingProxyType({**self.shipped.accelerators, **self._added})

    @cached_property
    def shapes(self) -> Mapping[str, DailyShape]:
        """Those of the catalog, and of the file's traces that are as long as a day."""
        added = {key: found.shape for key, found in self._traces.items() if found.shape}
        return MappingProxyType({**self.shipped.shapes, **added})

    def trace(self, key: str) -> Trace:
        """A trace of the file by its path, or one of the catalog."""
        return self._traces[key].trace if key in self._traces else self.shipped.trace(key)

    @cached_property
    def metros(self) -> Mapping[str, Metro]:
        """Those of the catalog: read once for both."""
        return self.shipped.metros

    def round_trip(self, user_metro: str, site_metro: str) -> RoundTrip:
        """As the catalog says: its table is read once for both."""
        return self.shipped.round_trip(user_metro, site_metro)

    @cached_property
    def content_hash(self) -> str:
        """That of the catalog."""
        return self.shipped.content_hash
