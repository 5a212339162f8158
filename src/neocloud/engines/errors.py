"""What can go wrong with an engine."""

from __future__ import annotations


class EngineStartError(Exception):
    """The engine process did not come up; the message holds what it said last."""


class EngineAnswerError(Exception):
    """An engine answered, but not what was asked; the message says who, what and how."""


class ModelFileError(Exception):
    """No such file of a model, or none that can be fetched or read; the message says what to do."""
