"""One wrong file for each code: a change to a right file. The page shows what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

RIGHT = """\
name: example
sites:
  ashburn:
    metro: washington
    pools:
      - {accelerator: h100-sxm, nodes: 1}
models:
  llama-3.1-8b:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 0.10, output: 0.10}
tenants:
  acme: {name: Acme Corporation}
demand:
  - model: llama-3.1-8b
    tenant: acme
    metros: {new-york: 0.6, chicago: 0.4}
    requests_per_s: 30
"""
"""A file without mistakes."""


@dataclass(frozen=True)
class Wrong:
    """A change to `RIGHT`: `old` becomes `new`."""

    old: str
    new: str

    def text(self) -> str:
        """The wrong file."""
        if RIGHT.count(self.old) != 1:
            raise SystemExit(f"stands not once in the example: {self.old!r}")
        return RIGHT.replace(self.old, self.new)


_METRO = "    metro: washington\n"
_POOL = "      - {accelerator: h100-sxm, nodes: 1}\n"
_CONFIG = "    config: meta-llama/Meta-Llama-3.1-8B\n"
_ACME = "  acme: {name: Acme Corporation}\n"
_METROS = "    metros: {new-york: 0.6, chicago: 0.4}\n"
_DEBT = """\
finance:
  debt:
    - {name: loan, kind: term_loan, commitment: 1000000, margin: 0.06, start: 2026-01-01,
       maturity: 2031-01-01, BEHIND}
demand:
"""

WRONG = {
    "E101": Wrong(_METROS, "    metros: {new-york: 0.6, chicago: 0.4\n"),
    "E102": Wrong(_METROS, f"    metros: {'[' * 20}new-york{']' * 20}\n"),
    "E103": Wrong(_METRO, "    metro: washington\n    metro: chicago\n"),
    "E104": Wrong(_METRO, "    metro: washington\n    pue: 0.9\n"),
    "E105": Wrong(_METRO, "    metro: washington\n    peu: 1.2\n"),
    "E106": Wrong(_POOL, "      - {accelerator: h100-sxm}\n"),
    "E107": Wrong(_POOL, "      - {accelerator: h100-sxm, nodes: two}\n"),
    "E108": Wrong(_POOL, "      - {accelerator: h100-sxm, nodes: 1, engine: vlm}\n"),
    "E109": Wrong("name: example\n", "name: our example\n"),
    "E110": Wrong(_METRO, "    metro: washington\n    power: [{capacity_mw: 1}]\n"),
    "E111": Wrong(_METRO, "    metro: washington\n    power: [{usd_per_mwh: 0.089}]\n"),
    "E112": Wrong(
        _METRO,
        "    metro: washington\n"
        "    power_ladder: [{date: 2026-01-01, contracted_mw: 10, active_mw: 12}]\n",
    ),
    "E201": Wrong("  - model: llama-3.1-8b\n", "  - model: llama-8b\n"),
    "E202": Wrong("    tenant: acme\n", "    tenant: acmee\n"),
    "E203": Wrong(_ACME, "  acme: {allowed_sites: [ashbum]}\n"),
    "E204": Wrong(_METROS, "    metros: {new-yrok: 0.6, chicago: 0.4}\n"),
    "E205": Wrong(_METRO, "    metro: pittsburgh\n"),
    "E206": Wrong(_POOL, "      - {accelerator: h100, nodes: 1}\n"),
    "E207": Wrong("    requests_per_s: 30\n", "    requests_per_s: 30\n    lengths: azure\n"),
    "E208": Wrong(_CONFIG, "    config: meta-llama/Llama-3.1-8B\n"),
    "E209": Wrong(_CONFIG, _CONFIG + "    precisions: [int3]\n"),
    "E210": Wrong(_ACME, "  acme: {currency: EUR}\n"),
    "E211": Wrong(_METROS, "    metros: {new-york: 0.6, chicago: 0.6}\n"),
    "E212": Wrong(_METRO, "    metro: tokyo\n"),
    "E213": Wrong(_POOL, "      - {accelerator: l40s, nodes: 1}\n"),
    "E214": Wrong(_POOL, _POOL + "      - {accelerator: h100-sxm, nodes: 2}\n"),
    "E216": Wrong("demand:\n", _DEBT.replace("BEHIND", "contracts: [reserved-2026]")),
    "E217": Wrong("demand:\n", _DEBT.replace("BEHIND", "collateral: [nodes]")),
    "E218": Wrong("    requests_per_s: 30\n", "    trace: requests.csv\n"),
    "E219": Wrong("demand:\n", "rental: {providers: [lamda]}\ndemand:\n"),
    "E220": Wrong("demand:\n", _DEBT.replace("BEHIND", "base_rate: sofr")),
    "E215": Wrong(
        "models:\n",
        "models:\n"
        "  gpt-oss-20b:\n"
        "    config: openai/gpt-oss-20b\n"
        "    objective: {ttft_ms: 1000, tpot_ms: 40}\n"
        "    price_per_mtok: {input: 0.05, output: 0.20}\n",
    ),
}
"""By code; E100 has no text: its file cannot be read. E215 needs a second change, see `wrong`."""


def wrong(code: str) -> str:
    """The wrong file of a code."""
    text = WRONG[code].text()
    if code == "E215":
        text = text.replace(_ACME, "  acme: {allowed_models: [gpt-oss-20b]}\n")
    return text
