"""The gateway's own Prometheus page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neocloud.gateway.gateway import Gateway

Sample = tuple[tuple[tuple[str, str], ...], float]
"""Labels and value."""


def metrics_page(gateway: Gateway) -> bytes:
    """All metrics as text, counters since the start of this process."""
    ledger = gateway.ledger
    lines: list[str] = []
    totals = sorted(gateway.traffic.totals.items())
    lines += _metric(
        "neocloud_requests_total", "counter", "Requests that ended, by how.",
        (
            ((("model", model), ("tenant", tenant), ("status", status)), n)
            for (model, tenant), total in totals
            for status, n in sorted(total.by_status.items())
        ),
    )  # fmt: skip
    lines += _metric(
        "neocloud_tokens_total", "counter", "Metered tokens; cached_input is part of input.",
        (
            ((("model", model), ("tenant", tenant), ("kind", kind)), n)
            for (model, tenant), total in totals
            for kind, n in (
                ("cached_input", total.cached_tokens),
                ("input", total.input_tokens),
                ("output", total.output_tokens),
            )
        ),
    )  # fmt: skip
    lines += _metric(
        "neocloud_refused_total", "counter", "Requests that were not admitted, by HTTP status.",
        (((("status", str(status)),), n) for status, n in sorted(gateway.traffic.refused.items())),
    )  # fmt: skip
    lines += _metric(
        "neocloud_open_requests", "gauge", "Admitted requests that have not ended.",
        [((), ledger.open_requests)],
    )  # fmt: skip
    lines += _metric(
        "neocloud_replica_in_flight", "gauge", "Requests at a replica.",
        (((("replica", s.replica),), s.in_flight) for s in gateway.fleet.states),
    )  # fmt: skip
    lines += _metric(
        "neocloud_replica_healthy", "gauge", "1 if the replica takes requests.",
        (((("replica", s.replica),), int(s.healthy)) for s in gateway.fleet.states),
    )  # fmt: skip
    lines += _metric(
        "neocloud_ledger_records_total", "counter", "Records made durable.",
        [((), ledger.committed)],
    )  # fmt: skip
    lines += _metric(
        "neocloud_ledger_commits_total", "counter", "Transactions that carried them.",
        [((), ledger.commits)],
    )  # fmt: skip
    lines += _metric(
        "neocloud_ledger_failing", "gauge", "1 while nothing can be written, nor served.",
        [((), int(ledger.failure is not None))],
    )  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def _metric(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        lines.append(f"{name}{{{shown}}} {value:g}" if shown else f"{name} {value:g}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
