"""What is asked for: requests by tenant, model and user metro; and the way to the users."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Number
from neocloud.spec.references import SHAPE, Declared, Shares, TraceName, TracePath
from neocloud.spec.structures import Either, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLengths:
    """Requests that are all of one length."""

    input_tokens: float = required(Number(1, 10_000_000), "Tokens of the prompt.", "tokens")
    output_tokens: float = required(Number(1, 10_000_000), "Tokens of the answer.", "tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Requests of one tenant for one model."""

    model: str = required(Declared("model", "models", "E201"), "Model that is asked for.")
    tenant: str = optional(
        Declared("tenant", "tenants", "E202"), "Who asks.", default="", shown="the only tenant",
        origin="with several tenants it must be given",
    )  # fmt: skip
    metros: Mapping[str, float] = optional(
        Shares(), "Where the users are: shares by metro that sum to 1, a list of metros in equal "
        "shares, one metro, or `internet-users`: the 40 metros with most people online, by their "
        "number.", default=None, shown="`internet-users`",
        origin="GeoNames populations times the share of people online (World Bank)",
    )  # fmt: skip
    trace: str | None = optional(
        TracePath(), "Requests as they came: a CSV or JSON lines file, relative to this file, "
        "with `arrival_s` (or `timestamp` in ms), `input_tokens` and `output_tokens` (or "
        "`input_length`, `output_length`). It gives whatever of rate, shape and lengths is left "
        "out; its hours count as the users' local time.", default=None, shown="none",
        origin="rate, shape and lengths say it all",
    )  # fmt: skip
    requests_per_s: float = optional(
        Number(above=0, maximum=10_000_000), "Requests, mean over the day.", "1/s", default=0.0,
        shown="that of `trace`", origin="without a trace it must be given",
    )  # fmt: skip
    shape: str = optional(
        SHAPE, "How the rate moves over the day, in the users' local time: a daily shape of the "
        "catalog.", default="flat", shown="flat; that of `trace` where it is as long as a day",
        origin="assumption: no daily rhythm",
    )  # fmt: skip
    lengths: str | FixedLengths = optional(
        Either(TraceName(), Section(FixedLengths)),
        "How long requests are: a trace of the catalog, the path of one, or fixed lengths.",
        default="azure-conv", shown="azure-conv; those of `trace` where there is one",
        origin="Azure LLM inference trace 2023, conversation: 1,155 tokens in, 211 out on average",
    )  # fmt: skip
    growth_per_year: float = optional(
        Number(-1, 100, remedy="A share is a part of 1: write 0.5 for 50 %."), "How it grows, for "
        "`report` and `stress`; `plan` takes it as it is.", "1/year", default=0.0,
        origin="assumption: it stays",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The way to the users."""

    last_mile_ms: float = optional(
        Number(0, 1000, remedy="Write milliseconds: 10 for 0.01 s."),
        "Round trip between a user and the backbone of their metro: added to each round trip "
        "between metros.", "ms", default=10.0, origin=(
            "assumption: Ookla's Speedtest Global Index of 2024 shows a median of about 9 ms on "
            "fixed lines (27 on mobile ones) to a server nearby; servers that ask have 1 to 2"
        ),
    )  # fmt: skip
