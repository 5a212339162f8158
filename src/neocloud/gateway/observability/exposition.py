"""Numbers as Prometheus reads them: text format 0.0.4, and the pages of several workers as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Labels = tuple[tuple[str, str], ...]
"""Names and values."""
Sample = tuple[Labels, float]
Spread = tuple[Labels, Sequence[int], float]
"""Labels of a histogram, its observations by bucket (the last unbounded), and their sum."""


class Exposition:
    """A page that is being written. Series are listed as they come; none may come twice."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def counter(self, name: str, meaning: str, samples: Iterable[Sample]) -> None:
        """What only rises, since this process started. `name` ends in `_total`."""
        self._metric(name, "counter", meaning, samples)

    def gauge(self, name: str, meaning: str, samples: Iterable[Sample]) -> None:
        """What is so now."""
        self._metric(name, "gauge", meaning, samples)

    def histogram(
        self, name: str, meaning: str, bounds: Sequence[float], spreads: Iterable[Spread]
    ) -> None:
        """How observations are spread; `bounds` are upper ones, of all buckets but the last."""
        self._head(name, "histogram", meaning)
        edges = [*(shown(bound) for bound in bounds), "+Inf"]
        for labels, buckets, total in spreads:
            told = written(labels)
            before = f"{told}," if told else ""
            count = 0
            for edge, number in zip(edges, buckets, strict=True):
                count += number
                self._lines.append(f'{name}_bucket{{{before}le="{edge}"}} {count}')
            after = f"{{{told}}}" if told else ""
            self._lines.append(f"{name}_sum{after} {shown(total)}")
            self._lines.append(f"{name}_count{after} {count}")

    def text(self) -> bytes:
        """The page."""
        return ("\n".join(self._lines) + "\n").encode()

    def _metric(self, name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> None:
        self._head(name, kind, meaning)
        for labels, value in samples:
            told = written(labels)
            self._lines.append(
                f"{name}{{{told}}} {shown(value)}" if told else f"{name} {shown(value)}"
            )

    def _head(self, name: str, kind: str, meaning: str) -> None:
        self._lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def written(labels: Labels) -> str:
    """Labels as they stand between the braces."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def shown(value: float) -> str:
    """A number with all its digits."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def joined(pages: Mapping[str, bytes]) -> bytes:
    """The pages of several workers as one, each series with the label `worker`.

    Args:
        pages: by worker; made by `Exposition`.
    """
    heads: dict[str, list[str]] = {}
    series: dict[str, list[str]] = {}
    for worker, page in pages.items():
        family = ""
        mark = written((("worker", worker),))
        for line in page.decode().splitlines():
            if line.startswith("#"):
                family = line.split(" ", 3)[2]
                head = heads.setdefault(family, [])
                if line not in head and len(head) < 2:
                    head.append(line)
            else:
                name, brace, rest = line.partition("{")
                if brace:
                    told = f"{name}{{{mark},{rest}"
                else:
                    name, _, value = line.partition(" ")
                    told = f"{name}{{{mark}}} {value}"
                series.setdefault(family, []).append(told)
    lines = [line for family, head in heads.items() for line in (*head, *series.get(family, ()))]
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
