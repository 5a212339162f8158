"""Accelerators: from the table of data sheets to figures in SI units, each with its origin.

The input's column `checked` says which source was read for which figure. It is prose, so what
follows from it stands here, accelerator by accelerator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import writing
from writing import FigureRow

GIB = 2**30

# Name in the input, key in the catalog. The keys are those under which measurements are published.
KEYS = {
    "A100 SXM 80GB": "a100-sxm-80gb",
    "H100 SXM": "h100-sxm",
    "H100 PCIe": "h100-pcie",
    "H100 NVL": "h100-nvl",
    "H200 SXM": "h200-sxm",
    "H200 NVL": "h200-nvl",
    "GH200 96GB": "gh200",
    "B200 SXM": "b200-sxm",
    "GB200 NVL72": "gb200-nvl72",
    "B300 SXM": "b300-sxm",
    "GB300 NVL72": "gb300-nvl72",
    "L40S": "l40s",
    "L4": "l4",
    "RTX PRO 6000 Server": "rtx-pro-6000-server",
    "MI300X": "mi300x",
    "MI325X": "mi325x",
    "MI355X": "mi355x",
    "MI350X": "mi350x",
    "TPU v5e": "tpu-v5e",
    "TPU v5p": "tpu-v5p",
    "TPU v6e": "tpu-v6e",
    "TPU7x": "tpu7x",
    "Gaudi 3": "gaudi-3",
    "Trainium2": "trainium2",
    "Trainium3": "trainium3",
}

COMPUTE = ("bf16_flops", "fp8_flops", "fp4_flops")
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

# Each pair of accelerators in the node has its own link and no switch joins them.
FULL_MESH = {"mi300x", "mi325x", "mi355x", "mi350x", "gaudi-3"}

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


def _values(key: str, row: dict[str, str]) -> dict[str, tuple[float | None, str]]:
    """Figures that the input states, in SI units."""
    memory_unit = GIB if key in MEMORY_IN_GIB else 1e9
    link = _scaled(row["scale_up_gbps_one_way"], 1e9)
    if key == "gaudi-3" and link is not None:
        link = link * 21 / 24
    return {
        "memory_bytes": (_scaled(row["memory_gb"], memory_unit), "B"),
        "memory_bytes_per_s": (_scaled(row["memory_gbps"], 1e9), "B/s"),
        "bf16_flops": (_scaled(row["bf16_dense_tflops"], 1e12), "FLOP/s"),
        "fp8_flops": (_scaled(row["fp8_dense_tflops"], 1e12), "FLOP/s"),
        "fp4_flops": (_scaled(row["fp4_dense_tflops"], 1e12), "FLOP/s"),
        "scale_up_bytes_per_s": (link, "B/s"),
        "tdp_w": (_scaled(row["tdp_w"], 1), "W"),
    }


def _stated(key: str, row: dict[str, str]) -> list[FigureRow]:
    rows = []
    for name, (value, unit) in _values(key, row).items():
        origin = READINGS[key].origin(name)
        note = NOTES.get((key, name), "")
        if value is None:
            why = "the accelerator has no such format" if name in COMPUTE else "not published"
            rows.append(FigureRow(key, name, None, unit, origin.source, "", "unknown", why))
            continue
        grade = origin.grade
        if key == "gaudi-3" and name in LINK:
            grade, note = "derived", "1,200 GB/s both ways over 24 ports, 21 of them in the node"
        if key in MEMORY_IN_GIB and name == "memory_bytes":
            note = f"stated as {row['memory_gb']} GiB"
        if origin.source == "recalled-sheets":
            note = "; ".join(filter(None, (note, "from the sheet as remembered, not re-read")))
        rows.append(
            FigureRow(key, name, value, unit, origin.source, DATES[origin.source], grade, note)
        )
    return rows


def _node_power(key: str, row: dict[str, str]) -> FigureRow:
    count = int(row["node_accelerators"])
    origin = READINGS[key].origin("node_power_w")
    note = NOTES.get((key, "node_power_w"), "")
    if row["node_power_kw_max"]:
        if origin.source == "recalled-sheets":
            note = "; ".join(filter(None, (note, "as remembered, not re-read")))
        watts = round(float(row["node_power_kw_max"]) * 1000)
        date = DATES[origin.source]
        return FigureRow(key, "node_power_w", watts, "W", origin.source, date, origin.grade, note)
    if not row["tdp_w"]:
        return FigureRow(
            key, "node_power_w", None, "W", origin.source, "", "unknown", "power not published"
        )
    watts = round(count * (float(row["tdp_w"]) + DGX_HOST_W_PER_ACCELERATOR))
    note = (
        f"{count} x TDP plus the host share of a DGX H100 node, (10,200 - 8 x 700) / 8 = 575 W "
        "an accelerator: an upper guide for lighter hosts"
    )
    return FigureRow(key, "node_power_w", watts, "W", "dgx-h100-guide", "2024", "derived", note)


def _capex(key: str, tco: dict[str, float]) -> FigureRow:
    if key == "h100-sxm":
        note = "midpoint of 47 to 52 thousand all-in in a cluster; lenders' and analysts' figures"
        return FigureRow(
            key, "capex_usd", H100_CAPEX_USD, "USD", "h100-capex", "2024", "published", note
        )
    if key not in tco:
        return FigureRow(key, "capex_usd", None, "USD", "inferencex", "", "unknown",
                         "no price of an installed accelerator found")  # fmt: skip
    value = round(H100_CAPEX_USD * tco[key] / tco["h100-sxm"], -2)
    note = (
        f"H100 SXM's 49,500 times the ratio of SemiAnalysis' hourly cost of owning as a neocloud, "
        f"{tco[key]:g} / {tco['h100-sxm']:g}"
    )
    if key in PLACEHOLDERS:
        note += "; that cost is itself a placeholder, 1.2 times the previous generation's"
    return FigureRow(key, "capex_usd", value, "USD", "inferencex", "2026-04", "derived", note)


def make(shared: Path, data: Path) -> None:
    """Write `accelerators.csv` (what they are) and `accelerator_figures.csv` (how much)."""
    folder = shared / "accelerators"
    rows = writing.read(folder / "accelerators.csv")
    tco = {
        KEYS[r["accelerator"]]: float(r["own_neocloud"])
        for r in writing.read(folder / "tco_usd_per_gpu_hour.csv")
    }
    if {r["accelerator"] for r in rows} != set(KEYS):
        raise SystemExit("the input names other accelerators than this script knows")
    identity, figures = [], []
    for row in rows:
        key = KEYS[row["accelerator"]]
        mesh = "1" if key in FULL_MESH else "0"
        identity.append(
            [key, row["accelerator"], row["maker"], row["year"], row["memory_type"],
             row["scale_up_link"], row["scale_up_domain"], mesh, row["node_accelerators"]]
        )  # fmt: skip
        figures += [*_stated(key, row), _node_power(key, row), _capex(key, tco)]
    writing.write(
        data / "accelerators.csv",
        ["key", "name", "maker", "year", "memory_type", "scale_up_link", "scale_up_domain",
         "full_mesh", "node_accelerators"],
        identity,
    )  # fmt: skip
    writing.write_figures(data / "accelerator_figures.csv", figures)
