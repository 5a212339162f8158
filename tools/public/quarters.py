"""The quarters that are forecast."""

from __future__ import annotations

from coreweave import COREWEAVE
from nebius import NEBIUS
from quarter import Quarter

QUARTERS: tuple[Quarter, ...] = (*COREWEAVE, *NEBIUS)
"""All of them, by company and date."""
