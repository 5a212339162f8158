"""Small clouds to plan, as texts that tests alter."""

from __future__ import annotations

from neocloud.catalog import load_catalog
from neocloud.planner import Ground, Plan, assemble, ground_of, make_plan, placed_on
from neocloud.planner.setting import Placed
from neocloud.spec import Cloud
from neocloud.spec.load import parse_cloud

CATALOG = load_catalog()

TWO_SITES = """\
name: small
exchange_rates: {EUR: 1.25}
sites:
  ashburn:
    metro: washington
    power:
      - {usd_per_mwh: 80, capacity_mw: 0.1}
    pools:
      - {accelerator: h100-sxm, nodes: 1}
  frankfurt:
    metro: frankfurt
    power:
      - {usd_per_mwh: 80, capacity_mw: 0.1}
    pools:
      - {accelerator: h100-sxm, nodes: 1}
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 0.1, output: 0.1}
tenants:
  acme: {}
  rhein: {allowed_sites: [frankfurt]}
demand:
  - {model: llama, tenant: acme, metros: [new-york], requests_per_s: 40, lengths: SHORT}
  - {model: llama, tenant: rhein, metros: [berlin], requests_per_s: 25, lengths: SHORT}
planning: {tp: [1, 2], batch: [64, 256]}
""".replace("SHORT", "{input_tokens: 1000, output_tokens: 200}")


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each first part replaced, where it stands, by the second."""
    for old, new in changes:
        assert old in text, f"{old!r} is not in the text"
        text = text.replace(old, new, 1)
    return text


def at_site(site: str, old: str, new: str, text: str = TWO_SITES) -> str:
    """The text with `old` replaced in the lines of one site."""
    head, mark, rest = text.partition(f"  {site}:\n")
    assert mark and old in rest
    return head + mark + rest.replace(old, new, 1)


def read(text: str) -> Cloud:
    return parse_cloud(text, "cloud.yaml", CATALOG)


def plan_of(text: str) -> Plan:
    return make_plan(read(text), CATALOG)


def replicas(plan: Plan) -> dict[str, int]:
    """Replicas by site."""
    found: dict[str, int] = {}
    for p in plan.placements:
        found[p.site] = found.get(p.site, 0) + p.replicas
    return found


def solved(text: str) -> tuple[Ground, Placed, Plan]:
    """What a plan is made on, the answer of placement, and the plan."""
    ground = ground_of(read(text), CATALOG)
    placed = placed_on(ground)
    return ground, placed, assemble(ground, placed)
