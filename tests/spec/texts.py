"""A right file, and ways to make it wrong."""

from __future__ import annotations

from pathlib import Path

from neocloud.catalog import load_catalog
from neocloud.spec import Cloud, Problem, SpecError, parse_cloud

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-sites" / "cloud.yaml"
REFERENCE = EXAMPLE.parents[1] / "reference" / "cloud.yaml"

RIGHT = """\
name: small
sites:
  ashburn:
    metro: washington
    pools:
      - {accelerator: h100-sxm, nodes: 2}
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 0.10, output: 0.20}
tenants:
  acme:
    name: Acme
demand:
  - model: llama
    tenant: acme
    metros: [new-york, chicago]
    requests_per_s: 5
"""


def changed(*pairs: tuple[str, str]) -> str:
    """The right file with each old text, which stands once in it, replaced by the new one."""
    text = RIGHT
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def read(text: str, base: Path | None = None) -> Cloud:
    return parse_cloud(text, "cloud.yaml", load_catalog(), base)


def problems(text: str) -> tuple[Problem, ...]:
    """All that is wrong with a text; none where it is right."""
    try:
        read(text)
    except SpecError as error:
        return error.problems
    return ()
