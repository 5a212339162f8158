"""What events that are brought in afterwards change about what tenants are charged."""

from neocloud.books.backfill.effects import BackfillOutcome, Effect, Event, effects_of, unfit

__all__ = ["BackfillOutcome", "Effect", "Event", "effects_of", "unfit"]
