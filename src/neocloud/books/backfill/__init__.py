"""What events and corrections that come afterwards change about what tenants are charged."""

from neocloud.books.backfill.corrections import (
    CorrectionEffect,
    CorrectionOutcome,
    correction_effects,
)
from neocloud.books.backfill.effects import BackfillOutcome, Effect, Event, effects_of, unfit

__all__ = [
    "BackfillOutcome",
    "CorrectionEffect",
    "CorrectionOutcome",
    "Effect",
    "Event",
    "correction_effects",
    "effects_of",
    "unfit",
]
