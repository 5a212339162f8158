"""What engines tell of themselves on their Prometheus page, whatever family of names they use."""

from __future__ import annotations

import math
import re

import msgspec

from neocloud.engines.families import FAMILIES, Family, Names


class EngineMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One engine's gauges now and counters since its start, summed over its series.

    Attributes:
        running: requests in the batch.
        waiting: requests in its queue.
        kv_usage: share of the KV cache in use, 0 to 1, the mean over its data-parallel ranks; None
            where it is not told.
        prompt_tokens: prompt tokens served, cached ones included.
        cached_tokens: of them, found in the prefix cache; 0 where it is not told.
        generated_tokens: tokens generated, those of aborted requests included.
        busy_s: seconds in which a step ran; None where it is not told.
        joules: energy that the replica took since its start; None where it is not told.
        emulated: True if the engine says that it is emulated.
        looked_up_tokens: prompt tokens that were looked up in the prefix cache. vLLM counts a
            request that was preempted again, others do not tell and have `prompt_tokens` here.
        found_tokens: of them, found there.
        waiting_tokens: prompt tokens of the requests that wait; None where it is not told. No real
            engine tells it on this page.
    """

    running: int
    waiting: int
    kv_usage: float | None
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    busy_s: float | None
    joules: float | None
    emulated: bool
    looked_up_tokens: int = 0
    found_tokens: int = 0
    waiting_tokens: int | None = None

    @property
    def hit_share(self) -> float | None:
        """Share of the looked up tokens that the prefix cache had; None before the first."""
        return self.found_tokens / self.looked_up_tokens if self.looked_up_tokens else None


BUSY_SECONDS = "neocloud_emulated_busy_seconds_total"
JOULES = "neocloud_emulated_energy_joules_total"
WAITING_TOKENS = "neocloud_emulated_waiting_tokens"

# name, labels, value; a label's value may hold anything between quotes.
_SAMPLE = re.compile(r'([A-Za-z_:][\w:]*)[ \t]*(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+([^ \t]+)')
_EMULATED = re.compile(r'[{,]\s*emulated="true"')


def parse_metrics(text: bytes, family: Family | None = None) -> EngineMetrics | None:
    """Read a Prometheus page; None if it holds nothing of the family, or of any known here.

    Args:
        text: the page.
        family: to read it by, where the engine is known to have it; else the one present is found.
    """
    lines = text.decode("utf-8", "replace").splitlines()
    found = _family(lines, FAMILIES if family is None else (family,))
    return None if found is None else _read(lines, found)


def family_of(text: bytes) -> Family | None:
    """The family of names that a Prometheus page holds; None if none is known."""
    return _family(text.decode("utf-8", "replace").splitlines(), FAMILIES)


def _family(lines: list[str], families: tuple[Family, ...]) -> Family | None:
    for family in families:
        if any(line.startswith(family.prefix) for line in lines):
            return family
    return None


def _read(lines: list[str], family: Family) -> EngineMetrics:
    series: dict[str, list[float]] = {}
    emulated = False
    for line in lines:
        if not line.startswith((family.prefix, "neocloud_emulated_")):
            continue
        sample = _SAMPLE.match(line)
        if sample is None:
            continue
        name, labels, value = sample.groups()
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number):
            series.setdefault(name, []).append(number)
            emulated = emulated or (labels is not None and _EMULATED.search(labels) is not None)

    def first(names: Names) -> list[float]:
        return next((series[name] for name in names if name in series), [])

    def total(names: Names) -> int:
        return round(sum(first(names)))

    usage = first(family.kv_usage)
    cached, running, waiting = (
        total(names) for names in (family.cached_tokens, family.running, family.waiting)
    )
    prompt = total(family.prompt_tokens) + (cached if family.prompt_without_cached else 0)
    busy, joules, tokens = (series.get(n) for n in (BUSY_SECONDS, JOULES, WAITING_TOKENS))
    return EngineMetrics(
        running=max(0, running - waiting) if family.running_with_waiting else running,
        waiting=waiting,
        kv_usage=sum(usage) / len(usage) if usage else None,
        prompt_tokens=prompt,
        cached_tokens=cached,
        generated_tokens=total(family.generated_tokens),
        busy_s=sum(busy) if busy else None,
        joules=sum(joules) if joules else None,
        emulated=emulated,
        looked_up_tokens=total(family.looked_up) if family.looked_up else prompt,
        found_tokens=total(family.found) if family.found else cached,
        waiting_tokens=round(sum(tokens)) if tokens else None,
    )
