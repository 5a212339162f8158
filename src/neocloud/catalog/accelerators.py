"""Accelerators of the catalog: what they are joined with how much they do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from neocloud.catalog.records import Accelerator, Figure
from neocloud.catalog.tables import read_figures, read_rows

_FORMATS = ("bf16", "fp8", "fp4", "int8")


def read_accelerators() -> Mapping[str, Accelerator]:
    """All accelerators by key, in the order of the file."""
    figures = read_figures("accelerator_figures.csv")
    return MappingProxyType(
        {
            row["key"]: _accelerator(row, figures[row["key"]])
            for row in read_rows("accelerators.csv")
        }
    )


def _accelerator(row: Mapping[str, str], figures: Mapping[str, Figure]) -> Accelerator:
    return Accelerator(
        key=row["key"],
        name=row["name"],
        maker=row["maker"],
        year=int(row["year"]),
        generation=row["generation"],
        memory_bytes=figures["memory_bytes"],
        memory_bytes_per_s=figures["memory_bytes_per_s"],
        flops=MappingProxyType({name: figures[f"{name}_flops"] for name in _FORMATS}),
        scale_up_bytes_per_s=figures["scale_up_bytes_per_s"],
        scale_out_bytes_per_s=figures["scale_out_bytes_per_s"],
        scale_up_domain=int(row["scale_up_domain"]),
        full_mesh=row["full_mesh"] == "1",
        tdp_w=figures["tdp_w"],
        node_accelerators=int(row["node_accelerators"]),
        node_power_w=figures["node_power_w"],
        all_in_power_w=figures["all_in_power_w"],
        rack_power_w=figures["rack_power_w"],
        liquid_cooled=row["liquid_cooled"] == "1",
        capex_usd=figures["capex_usd"],
        measured=row["measured"] == "1",
    )
