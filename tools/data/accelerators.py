"""Accelerators: from the table of data sheets to figures in SI units, each with its origin.

The input's column `checked` says which source was read for which figure. It is prose, so what
follows from it stands here, accelerator by accelerator. Two tables beside this script are written
by hand: `accelerator_kinds.csv` says what each kind is and what the input calls it (empty where the
input lacks it); `accelerator_sheets.csv` holds figures read from data sheets since: they add to the
input's and stand before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import writing
from writing import FigureRow

GIB = 2**30

Row = dict[str, str]

IDENTITY = (
    "key", "name", "maker", "year", "generation", "memory_type", "scale_up_link",
    "scale_up_domain", "full_mesh", "node_accelerators", "liquid_cooled",
)  # fmt: skip
"""Columns of `accelerators.csv` that come from `accelerator_kinds.csv`."""

COMPUTE = ("bf16_flops", "fp8_flops", "fp4_flops")
FIELDS = {
    "memory_bytes": "B",
    "memory_bytes_per_s": "B/s",
    "bf16_flops": "FLOP/s",
    "fp8_flops": "FLOP/s",
    "fp4_flops": "FLOP/s",
    "int8_flops": "FLOP/s",
    "scale_up_bytes_per_s": "B/s",
    "scale_out_bytes_per_s": "B/s",
    "tdp_w": "W",
    "node_power_w": "W",
    "all_in_power_w": "W",
    "rack_power_w": "W",
    "capex_usd": "USD",
}
"""Every figure of an accelerator and its unit, in the order of the file."""
MEMORY = ("memory_bytes", "memory_bytes_per_s")
LINK = ("scale_up_bytes_per_s",)


@dataclass(frozen=True)
class Origin:
    """A source and how well it stands."""

    source: str
    grade: str = "published"


AIC = Origin("aiconfigurator")
INFERENCEX = Origin("inferencex")
RECALLED = Origin("recalled-sheets", "assumed")
DGX_H = Origin("dgx-h100-guide")
DGX_B200 = Origin("dgx-b200-guide")
DGX_B300 = Origin("dgx-b300-secondary")
MI300_PRESS = Origin("mi300x-press")
MI350_PRESS = Origin("mi350-press")
GOOGLE = Origin("google-tpu-docs")
INTEL = Origin("intel-gaudi3-slides")
NEURON = Origin("aws-neuron-docs")


@dataclass(frozen=True)
class Reading:
    """Which source gives which figure of one accelerator."""

    otherwise: Origin
    fields: dict[str, Origin] = field(default_factory=dict)

    def origin(self, name: str) -> Origin:
        """Origin of the figure `name`."""
        return self.fields.get(name, self.otherwise)


def _these(names: tuple[str, ...], origin: Origin) -> dict[str, Origin]:
    return dict.fromkeys(names, origin)


READINGS = {
    "a100-sxm-80gb": Reading(AIC, {"node_power_w": RECALLED}),
    "h100-sxm": Reading(AIC, {"node_power_w": DGX_H}),
    "h100-pcie": Reading(AIC),
    "h100-nvl": Reading(RECALLED),
    "h200-sxm": Reading(AIC, {"node_power_w": DGX_H}),
    "h200-nvl": Reading(RECALLED),
    "gh200": Reading(RECALLED),
    "b200-sxm": Reading(AIC, {"memory_bytes": DGX_B200, "node_power_w": DGX_B200}),
    "gb200-nvl72": Reading(AIC, {"node_power_w": RECALLED}),
    "b300-sxm": Reading(AIC, {"node_power_w": DGX_B300}),
    "gb300-nvl72": Reading(AIC, {"node_power_w": RECALLED}),
    "l40s": Reading(AIC),
    "l4": Reading(RECALLED),
    "rtx-pro-6000-server": Reading(RECALLED, {**_these(COMPUTE, AIC), "tdp_w": AIC}),
    "mi300x": Reading(INFERENCEX, {"tdp_w": MI300_PRESS}),
    "mi325x": Reading(INFERENCEX, {"tdp_w": RECALLED}),
    "mi355x": Reading(INFERENCEX, {"tdp_w": MI350_PRESS}),
    "mi350x": Reading(
        Origin("mi350-press", "derived"), {"tdp_w": MI350_PRESS, "fp4_flops": MI350_PRESS}
    ),
    "tpu-v5e": Reading(RECALLED),
    "tpu-v5p": Reading(RECALLED, {**_these(COMPUTE, GOOGLE), "memory_bytes": GOOGLE}),
    "tpu-v6e": Reading(RECALLED, {**_these(COMPUTE, GOOGLE), "memory_bytes": GOOGLE}),
    "tpu7x": Reading(RECALLED, {**_these(COMPUTE, GOOGLE), "memory_bytes": GOOGLE}),
    "gaudi-3": Reading(INTEL),
    "trainium2": Reading(NEURON, _these(LINK, RECALLED)),
    "trainium3": Reading(NEURON, _these(LINK, RECALLED)),
}

# The maker states the memory in GiB; the input keeps the bare number.
MEMORY_IN_GIB = {"tpu7x", "trainium2", "trainium3"}

# What a figure's reader should know, from the input's column `notes`.
NOTES = {
    ("h100-sxm", "bf16_flops"): "sheet prints 1,979 with sparsity: halved",
    ("h100-sxm", "fp8_flops"): "sheet prints 3,958 with sparsity: halved",
    ("h100-pcie", "scale_up_bytes_per_s"): "PCIe; an optional NVLink bridge joins two cards",
    ("h100-nvl", "tdp_w"): "350 to 400 W, configurable",
    ("h200-sxm", "memory_bytes"): "AIConfigurator takes 141 GiB",
    ("gh200", "tdp_w"): "450 to 1,000 W for CPU, GPU and memory together",
    ("b200-sxm", "memory_bytes"): "1,440 GB a node of 8; the chip has 192 GB",
    ("b200-sxm", "memory_bytes_per_s"): "InferenceX says 8.0 TB/s",
    ("gb200-nvl72", "memory_bytes"): "AIConfigurator measures 198.7 GB, InferenceX says 192",
    ("gb200-nvl72", "node_power_w"): "whole rack; vendors quote 120 to 132 kW",
    ("b300-sxm", "memory_bytes"): "AIConfigurator 288.4 GB, InferenceX 268, chip 288",
    ("b300-sxm", "fp4_flops"): "AIConfigurator 14.0 PFLOP/s, InferenceX 13.5",
    ("gb300-nvl72", "memory_bytes"): "AIConfigurator measures 298.0 GB, InferenceX says 288",
    ("gb300-nvl72", "node_power_w"): "whole rack; quoted 132 to 142 kW",
    ("rtx-pro-6000-server", "memory_bytes_per_s"): "disputed: press says 1,792 GB/s",
    ("mi355x", "scale_up_bytes_per_s"): "InferenceX also prints 576 GB/s; 7 links of 76.8 are 538",
    **{
        ("mi350x", name): "as the MI355X, the same chip cooled by water"
        for name in ("memory_bytes", "memory_bytes_per_s", "scale_up_bytes_per_s")
    },
    ("mi350x", "bf16_flops"): "scaled from the published FP4 rate as on the MI355X",
    ("mi350x", "fp8_flops"): "scaled from the published FP4 rate as on the MI355X",
    ("mi350x", "fp4_flops"): "18.45 PFLOP/s with sparsity: halved",
    ("tpu-v5p", "fp8_flops"): "FP8 runs at the BF16 rate",
    ("tpu-v6e", "fp8_flops"): "FP8 runs at the BF16 rate",
    ("trainium2", "scale_up_bytes_per_s"): "1.28 TB/s a chip taken as both ways",
    ("trainium3", "scale_up_bytes_per_s"): "2.56 TB/s a chip taken as both ways",
    ("trainium3", "fp4_flops"): "MXFP4 at the MXFP8 rate",
}

# Host, fans, switches and network cards of a DGX H100: 10.2 kW less eight accelerators of 700 W.
DGX_HOST_W_PER_ACCELERATOR = (10_200 - 8 * 700) / 8
H100_ALL_IN_OVER_NODE = 1_730 / (10_200 / 8)
RACK_ACCELERATORS = 32
DATES = {
    "aiconfigurator": "2026",
    "inferencex": "2026-04",
    "recalled-sheets": "2026-11",
    "dgx-h100-guide": "2024",
    "dgx-b200-guide": "2025",
    "dgx-b300-secondary": "2025",
    "mi300x-press": "2023-12",
    "mi350-press": "2025-06",
    "google-tpu-docs": "2025",
    "intel-gaudi3-slides": "2024-08",
    "aws-neuron-docs": "2026",
}

H100_CAPEX_USD = 49_500.0  # midpoint of 47,000 and 52,000
PLACEHOLDERS = {"b300-sxm", "gb300-nvl72"}


def _scaled(text: str, factor: float) -> float | None:
    return round(float(text) * factor) if text else None


def _values(key: str, row: Row) -> dict[str, float | None]:
    """Figures that the input states, in SI units."""
    memory_unit = GIB if key in MEMORY_IN_GIB else 1e9
    link = _scaled(row["scale_up_gbps_one_way"], 1e9)
    if key == "gaudi-3" and link is not None:
        link = link * 21 / 24
    return {
        "memory_bytes": _scaled(row["memory_gb"], memory_unit),
        "memory_bytes_per_s": _scaled(row["memory_gbps"], 1e9),
        "bf16_flops": _scaled(row["bf16_dense_tflops"], 1e12),
        "fp8_flops": _scaled(row["fp8_dense_tflops"], 1e12),
        "fp4_flops": _scaled(row["fp4_dense_tflops"], 1e12),
        "scale_up_bytes_per_s": link,
        "tdp_w": _scaled(row["tdp_w"], 1),
        "node_power_w": _scaled(row["node_power_kw_max"], 1000),
    }


def _stated(key: str, row: Row) -> dict[str, FigureRow]:
    """What the input states of one kind."""
    rows = {}
    for name, value in _values(key, row).items():
        if value is None:
            continue
        origin = READINGS[key].origin(name)
        grade, note = origin.grade, NOTES.get((key, name), "")
        if key == "gaudi-3" and name in LINK:
            grade, note = "derived", "1,200 GB/s both ways over 24 ports, 21 of them in the node"
        if key in MEMORY_IN_GIB and name == "memory_bytes":
            note = f"stated as {row['memory_gb']} GiB"
        rows[name] = FigureRow(
            key, name, value, FIELDS[name], origin.source, DATES[origin.source], grade, note
        )
    if row["all_in_kw_per_gpu"]:
        watts = _scaled(row["all_in_kw_per_gpu"], 1000)
        rows["all_in_power_w"] = FigureRow(
            key, "all_in_power_w", watts, "W", "inferencex", DATES["inferencex"], "published",
            "from SemiAnalysis' model of a data center: with servers, network and cooling",
        )  # fmt: skip
    return rows


def _sheets(path: Path) -> dict[str, dict[str, FigureRow]]:
    """Figures read from data sheets, by kind and field."""
    found: dict[str, dict[str, FigureRow]] = {}
    for row in writing.read(path):
        key, name = row["key"], row["field"]
        if row["unit"] != FIELDS[name]:
            raise SystemExit(f"{path.name}: {key} {name} is in {row['unit']}, not {FIELDS[name]}")
        value = float(row["value"]) if row["value"] else None
        found.setdefault(key, {})[name] = FigureRow(
            key, name, value, row["unit"], row["source"], row["date"], row["grade"], row["note"]
        )
    return found


def _node_power(kind: Row, figures: dict[str, FigureRow]) -> FigureRow | None:
    """Board power and the host's share, where no node's maximum is published."""
    tdp = figures.get("tdp_w")
    if tdp is None or tdp.value is None:
        return None
    count = int(kind["node_accelerators"])
    watts = round(count * (tdp.value + DGX_HOST_W_PER_ACCELERATOR))
    note = (
        f"{count} x TDP plus the host share of a DGX H100 node, (10,200 - 8 x 700) / 8 = 575 W "
        "an accelerator: an upper guide for lighter hosts"
    )
    return FigureRow(kind["key"], "node_power_w", watts, "W", "dgx-h100-guide", "2024", "derived",
                     note)  # fmt: skip


def _rack_power(kind: Row, node: FigureRow | None) -> FigureRow | None:
    """A whole rack: the node where it is one, else 32 accelerators."""
    if node is None or node.value is None:
        return None
    count = int(kind["node_accelerators"])
    if count > RACK_ACCELERATORS:
        return replace(node, field="rack_power_w")
    watts = node.value * RACK_ACCELERATORS / count
    note = f"{RACK_ACCELERATORS // count} nodes a rack at their maximum, network apart"
    return FigureRow(kind["key"], "rack_power_w", watts, "W", "assumed-rack", "2026-11",
                     "derived", note)  # fmt: skip


def _all_in_power(kind: Row, node: FigureRow | None) -> FigureRow | None:
    """The node's share with network and cooling as of an H100, for nodes built like its own."""
    if node is None or node.value is None or int(kind["scale_up_domain"]) < 8:
        return None
    watts = round(node.value / int(kind["node_accelerators"]) * H100_ALL_IN_OVER_NODE)
    note = (
        f"its share of the node times {H100_ALL_IN_OVER_NODE:.2f}, as an H100 SXM's 1,730 W in "
        "SemiAnalysis' model of a data center over its 1,275 W of a node"
    )
    return FigureRow(kind["key"], "all_in_power_w", watts, "W", "inferencex", "2026-04",
                     "derived", note)  # fmt: skip


def _capex(key: str, tco: dict[str, float]) -> FigureRow | None:
    if key == "h100-sxm":
        note = "midpoint of 47 to 52 thousand all-in in a cluster; lenders' and analysts' figures"
        return FigureRow(
            key, "capex_usd", H100_CAPEX_USD, "USD", "h100-capex", "2024", "published", note
        )
    if key not in tco:
        return None
    value = round(H100_CAPEX_USD * tco[key] / tco["h100-sxm"], -2)
    note = (
        f"H100 SXM's 49,500 times the ratio of SemiAnalysis' hourly cost of owning as a neocloud, "
        f"{tco[key]:g} / {tco['h100-sxm']:g}"
    )
    if key in PLACEHOLDERS:
        note += "; that cost is itself a placeholder, 1.2 times the previous generation's"
    return FigureRow(key, "capex_usd", value, "USD", "inferencex", "2026-04", "derived", note)


def _why_unknown(name: str) -> str:
    if name in COMPUTE:
        return "the accelerator has no such format"
    return {
        "capex_usd": "no price of an installed accelerator found",
        "node_power_w": "power not published",
        "rack_power_w": "power not published",
        "all_in_power_w": "no model of a data center with this kind was found",
    }.get(name, "not published")


def _figures(kind: Row, stated: dict[str, FigureRow], tco: dict[str, float]) -> Iterator[FigureRow]:
    """All figures of one kind: stated, derived, or unknown with the reason."""
    key = kind["key"]
    node = stated.get("node_power_w") or _node_power(kind, stated)
    derived = {
        "node_power_w": node,
        "rack_power_w": _rack_power(kind, node),
        "all_in_power_w": _all_in_power(kind, node),
        "capex_usd": _capex(key, tco),
    }
    known = {**{name: row for name, row in derived.items() if row is not None}, **stated}
    for name, unit in FIELDS.items():
        row = known.get(name) or FigureRow(
            key, name, None, unit, "none-found", "", "unknown", _why_unknown(name)
        )
        if row.source == "recalled-sheets" and row.value is not None:
            told = "; ".join(filter(None, (row.note, "from the sheet as remembered, not re-read")))
            row = replace(row, note=told)
        yield row


def measured_kinds(shared: Path) -> set[str]:
    """Kinds of which any table of end-to-end measurements has a row."""
    tables = (shared / "measured").glob("*.csv")
    return {row["accelerator"] for path in sorted(tables) for row in writing.read(path)}


def make(shared: Path, data: Path, here: Path) -> None:
    """Write `accelerators.csv` (what they are) and `accelerator_figures.csv` (how much)."""
    folder = shared / "accelerators"
    kinds = writing.read(here / "accelerator_kinds.csv")
    inputs = {row["accelerator"]: row for row in writing.read(folder / "accelerators.csv")}
    key_of = {kind["input"]: kind["key"] for kind in kinds if kind["input"]}
    if set(inputs) != set(key_of):
        raise SystemExit("the input names other accelerators than accelerator_kinds.csv")
    tco = {
        key_of[r["accelerator"]]: float(r["own_neocloud"])
        for r in writing.read(folder / "tco_usd_per_gpu_hour.csv")
    }
    sheets = _sheets(here / "accelerator_sheets.csv")
    measured = measured_kinds(shared)
    identity: list[list[str]] = []
    figures: list[FigureRow] = []
    for kind in kinds:
        key = kind["key"]
        identity.append([*(kind[name] for name in IDENTITY), "1" if key in measured else "0"])
        stated = _stated(key, inputs[kind["input"]]) if kind["input"] else {}
        figures += _figures(kind, {**stated, **sheets.get(key, {})}, tco)
    writing.write(data / "accelerators.csv", [*IDENTITY, "measured"], identity)
    writing.write_figures(data / "accelerator_figures.csv", figures)
