"""The one hourly table of what is planned, simulated or metered.

Plan, twin and ledger all produce it, and books and finance read it: this is how the three compare.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

SCHEMA = "neocloud.activity/1"
"""Name and version of the published schema."""


class Origin(StrEnum):
    """Where a row comes from."""

    PLANNED = "planned"
    SIMULATED = "simulated"
    METERED = "metered"


class Purpose(StrEnum):
    """What accelerators were held for."""

    INFERENCE = "inference"
    TRAINING = "training"
    BACKFILL = "backfill"
    IDLE = "idle"
    TEST = "test"
    DOWN = "down"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of one tenant's use of one model on one pool.

    Requests and tokens are counted where the request was admitted, in the hour of its admission.
    Accelerator time and energy belong to no tenant where they cannot be told apart; such rows
    have an empty `tenant`.

    Attributes:
        source: planned, simulated or metered.
        hour_utc: start of the hour, nanoseconds since the epoch, UTC. In a plan the hours are
            those of one representative day, 1970-01-01.
        site: site key.
        pool: pool key.
        model: model key, empty for accelerators that serve none.
        tenant: tenant id, empty where shared.
        purpose: what the accelerators were held for.
        emulated: True where an emulated engine produced the tokens; never billed as real.
        requests: admitted requests (planned: expected, rounded to whole ones).
        within_objective: of them, those that met the model's latency objective.
        input_tokens: prompt tokens, cached ones included.
        cached_tokens: of them, those found in a prefix cache.
        output_tokens: generated tokens.
        allocated_accelerator_s: accelerator-seconds held.
        busy_accelerator_s: of them, those in which the engine ran a step.
        energy_kwh: energy at the meter of the site, PUE included.
    """

    source: Origin
    hour_utc: int
    site: str
    pool: str
    model: str
    tenant: str = ""
    purpose: Purpose = Purpose.INFERENCE
    emulated: bool = False
    requests: int = 0
    within_objective: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    allocated_accelerator_s: float = 0.0
    busy_accelerator_s: float = 0.0
    energy_kwh: float = 0.0
