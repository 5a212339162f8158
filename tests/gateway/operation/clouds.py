"""A small cloud with real engines, of which fake upstreams play the replicas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

MODEL = "llama-70b"
REPLICAS = tuple(f"frankfurt/h100-sxm/{MODEL}/{number}" for number in range(2))

TEXT = """
name: one-site
sites:
  frankfurt:
    metro: frankfurt
    pue: 1.4
    power:
      - {kind: grid, capacity_mw: 0.1, usd_per_mwh: 91.0}
    pools:
      - {accelerator: h100-sxm, nodes: 1, engine: vllm}
models:
  llama-70b:
    config: meta-llama/Meta-Llama-3.1-70B
    max_output_tokens: 40
    objective: {ttft_ms: 2000, tpot_ms: 80, percentile: 90}
    price_per_mtok: {input: 0.10, output: 0.10}
tenants:
  acme: {name: Acme}
demand:
  - {model: llama-70b, tenant: acme, metros: [frankfurt], requests_per_s: 9, lengths: azure-conv}
"""


class CloudFile:
    """The file in a folder, changed and planned at will."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "cloud.yaml"
        self.content = yaml.safe_load(TEXT)

    @property
    def gateway(self) -> dict:
        return self.content.setdefault("gateway", {})

    @property
    def acme(self) -> dict:
        return self.content["tenants"]["acme"]

    def write(self) -> Path:
        self.path.write_text(yaml.safe_dump(self.content, sort_keys=False))
        return self.path

    def plan(self) -> Path:
        """Write and plan it."""
        self.write()
        subprocess.run(
            [sys.executable, "-m", "neocloud.cli.main", "plan", str(self.path), "--quick"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        return self.path


def at(url: str, *replicas: str) -> list[str]:
    """Words that name an upstream as these replicas of the plan."""
    return [word for replica in replicas for word in ("--upstream", f"{replica}={url}")]
