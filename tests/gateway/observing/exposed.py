"""A Prometheus page read strictly: what is not in the text format fails."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\S+)")
_ONE = re.compile(rf"({_LABEL})(?:,|$)")

Labels = frozenset[tuple[str, str]]


@dataclass
class Family:
    kind: str
    meaning: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def read(page: bytes) -> dict[str, Family]:
    """Families by name; each series once, behind its own HELP and TYPE."""
    text = page.decode()
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    meanings: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, meaning = line.split(" ", 3)
            assert name not in meanings, f"{name} twice"
            meanings[name] = meaning
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in {"counter", "gauge", "histogram"}
            families[name] = Family(kind, meanings[name])
            last = name
        else:
            found = _SAMPLE.fullmatch(line)
            assert found is not None, line
            name, labels, value = found.groups()
            family = families[last]
            assert name.removeprefix(last) in _ends(family.kind), (last, name)
            pairs = [each.split("=", 1) for each in _ONE.findall(labels or "")]
            key = (name, frozenset((n, v[1:-1]) for n, v in pairs))
            assert len(dict(pairs)) == len(pairs)
            assert key not in family.samples, key
            family.samples[key] = float(value)
    for name, family in families.items():
        if family.kind == "histogram":
            _check_histogram(name, family)
        if family.kind == "counter":
            assert name.endswith("_total")
    return families


def _ends(kind: str) -> set[str]:
    return {"_bucket", "_sum", "_count"} if kind == "histogram" else {""}


def _check_histogram(name: str, family: Family) -> None:
    series: dict[Labels, list[tuple[float, float]]] = {}
    for (sample, labels), value in family.samples.items():
        if sample == f"{name}_bucket":
            bounds = dict(labels)
            edge = float(bounds.pop("le"))
            series.setdefault(frozenset(bounds.items()), []).append((edge, value))
    counts = {k[1]: v for k, v in family.samples.items() if k[0] == f"{name}_count"}
    assert set(series) == set(counts)
    for labels, buckets in series.items():
        buckets.sort()
        assert buckets[-1] == (math.inf, counts[labels])
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)


def value(page: dict[str, Family], family: str, sample: str = "", **labels: str) -> float:
    """The one sample of a family with these labels, whatever others it has."""
    wanted = set(labels.items())
    found = [
        number
        for (name, told), number in page[family].samples.items()
        if name == family + sample and wanted <= told
    ]
    assert len(found) == 1, (family, labels, page[family].samples)
    return found[0]


def summed(page: dict[str, Family], family: str, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(n for (_, told), n in page[family].samples.items() if wanted <= told)
