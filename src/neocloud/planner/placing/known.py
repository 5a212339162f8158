"""Rows that were found on the way and hold for every placement."""

from __future__ import annotations

from dataclasses import dataclass, field

from neocloud.planner.placing.covering import Rounded, add_rounded
from neocloud.planner.placing.formulation import Cut, Formulation, cut
from neocloud.planner.placing.layout import Places


@dataclass(slots=True, eq=False)
class Known:
    """Rows of the models: cuts that must hold, and rows that follow from whole numbers."""

    cuts: list[Cut] = field(default_factory=list)
    rounded: list[Rounded] = field(default_factory=list)

    def add_to(self, f: Formulation) -> Places:
        """Add all as rows of the formulation's models; the places of the rounded ones."""
        cut(f, self.cuts)
        return add_rounded(f, self.rounded)
