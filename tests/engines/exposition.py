"""A strict reader of the Prometheus text format, 0.0.4."""

from __future__ import annotations

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
SUFFIXES = ("_bucket", "_count", "_sum")


def read(page: str) -> dict[tuple[str, str], float]:
    """Samples by name and labels; fails on anything that the format does not allow."""
    assert page.endswith("\n")
    kinds: dict[str, str] = {}
    samples: dict[tuple[str, str], float] = {}
    current = ""
    for line in page.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in kinds, f"{current} comes twice"
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert name == current
            assert kind in ("counter", "gauge", "histogram")
            # vLLM itself has a histogram of such a name.
            assert name.endswith("_total") == (kind == "counter") or "iteration_tokens" in name
            kinds[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            family = name
            if kinds.get(current) == "histogram":
                family = next(name.removesuffix(s) for s in SUFFIXES if name.endswith(s))
            assert family == current, f"{name} stands among the samples of {current}"
            assert (name, labels or "") not in samples
            samples[name, labels or ""] = float(value)
    for name, kind in kinds.items():
        if kind == "histogram":
            buckets = [v for (n, _), v in samples.items() if n == f"{name}_bucket"]
            assert buckets == sorted(buckets)
            (count,) = [v for (n, _), v in samples.items() if n == f"{name}_count"]
            assert buckets[-1] == count
            assert any('le="+Inf"' in labels for n, labels in samples if n == f"{name}_bucket")
    return samples
