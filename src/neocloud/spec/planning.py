"""What a plan must hold and what its search looks at."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from neocloud.spec.fields import optional
from neocloud.spec.kinds import Choice, Day, Money, Number, Text, Whole
from neocloud.spec.structures import ListOf

AGGREGATED: Final = "aggregated"
DISAGGREGATED: Final = "disaggregated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What a plan must hold, and what the search over configurations looks at."""

    day: date | None = optional(
        Day(), "Day that the plan is for: contracts, pools and the power ladder count as they "
        "stand then.", name="date", default=None,
        shown="a day when all that the file declares is there", origin="assumption",
    )  # fmt: skip
    replicas: str = optional(
        Choice(("fixed", "hourly")), "Whether replicas follow the hour: `fixed` keeps the same "
        "ones all day, `hourly` frees accelerators in hours that need fewer.",
        default="fixed", origin="the careful side: what is freed must find another use",
    )  # fmt: skip
    spares: str = optional(
        Choice(("none", "replica", "site")), "What must be survived: `replica`, one replica "
        "wherever any stand (N + 1); `site`, any one site: the others then take all that they may.",
        default="none", origin="assumption: `availability` says all",
    )  # fmt: skip
    confidence: float = optional(
        Number(0.5, 0.95, remedy="Write 0.8 for four of five replicas."),
        "Quantile of the prediction to plan at: 0.5 takes it as it is; at 0.8 four of five "
        "replicas are at least as fast as planned.", default=0.5,
        origin="the prediction itself, which errs to both sides alike",
    )  # fmt: skip
    carbon_price_per_tonne: Decimal = optional(
        Money(0, 100_000), "What a tonne of CO2 costs; added to each plan's cost.",
        "currency/tonne", default=Decimal(0), origin="assumption: nobody asks for it",
    )  # fmt: skip
    carbon_cap_t_per_year: float | None = optional(
        Number(0, 1e9, remedy="Write tonnes a year."), "The most that the plan's energy may emit.",
        "t/year", default=None, shown="no limit", origin="no limit unless asked for",
    )  # fmt: skip
    today: str | None = optional(
        Text(), "Path of the `plan.json` that runs now, relative to this file: the new plan is "
        "compared with it.", default=None, shown="none", origin="nothing to compare with",
    )  # fmt: skip
    max_seconds: float = optional(
        Number(1, 86_400), "Time that placement may take before it answers with the best found "
        "and how far that can be from the best of all.", "s", default=60.0,
        origin="assumption: a minute",
    )  # fmt: skip
    serving: tuple[str, ...] = optional(
        ListOf(Choice((AGGREGATED, DISAGGREGATED))), "How replicas are built: engines that work "
        "on prompts and answers, or workers for each apart.", default=(AGGREGATED, DISAGGREGATED),
        origin="whichever is cheaper",
    )  # fmt: skip
    tp: tuple[int, ...] = optional(
        ListOf(Whole(1, 1024)), "Degrees of tensor parallelism.", "accelerators",
        default=(1, 2, 4, 8), origin="a node holds 8 accelerators",
    )  # fmt: skip
    attention_dp: tuple[int, ...] = optional(
        ListOf(Whole(1, 1024)), "Degrees of data parallelism of the attention, for models with "
        "experts.", "ranks", default=(1, 2, 4, 8, 16), origin="up to two nodes of 8",
    )  # fmt: skip
    pp: tuple[int, ...] = optional(
        ListOf(Whole(1, 64)), "Degrees of pipeline parallelism.", "stages", default=(1, 2),
        origin="two nodes of 8 as two stages; nothing measured stands behind more of them on most "
        "accelerators",
    )  # fmt: skip
    max_accelerators: int = optional(
        Whole(1, 1024), "Accelerators of one engine at most.", "accelerators", default=16,
        origin="two nodes of 8; every model of the catalog fits 16 H100 in its own precision",
    )  # fmt: skip
    drafts: tuple[int, ...] = optional(
        ListOf(Whole(0, 8)), "Tokens drafted a step where the model has layers for it (MTP); 0 is "
        "none.", "tokens", default=(0, 1, 2, 3), origin="measured rows draft 1 to 3",
    )  # fmt: skip
    batch_tokens: tuple[int, ...] = optional(
        ListOf(Whole(16, 1_048_576)), "Tokens of a step: prompts are cut into chunks of these.",
        "tokens", default=(2048, 8192, 16384), origin="defaults of vLLM by memory, and a quarter",
    )  # fmt: skip
    batch: tuple[int, ...] = optional(
        ListOf(Whole(1, 65_536)), "Limits of the sequences that a rank may run at once.",
        "sequences", default=tuple(2**n for n in range(3, 11)),
        origin="beyond 1024 a rank, vLLM's own default, latency objectives bind",
    )  # fmt: skip
    workers: int = optional(
        Whole(1, 64), "Workers of each kind that a disaggregated replica has at most.", "workers",
        default=4, origin="assumption: more hit the ratio better and are harder to fill",
    )  # fmt: skip
