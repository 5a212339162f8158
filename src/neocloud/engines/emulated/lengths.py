"""How long an answer gets that its request does not fix: as long as the plan's demand has them."""

from __future__ import annotations

import numpy as np

from neocloud.planner import Lengths


class AnswerLengths:
    """The answer lengths of one model's demand, to draw from."""

    def __init__(self, lengths: Lengths) -> None:
        order = np.argsort(lengths.output_tokens, kind="stable")
        self._tokens = np.maximum(1, np.rint(lengths.output_tokens[order])).astype(np.int64)
        self._cumulative = np.cumsum(lengths.weight[order])

    def at(self, quantile: float) -> int:
        """The length that this share of the answers does not exceed, at least 1."""
        place = int(np.searchsorted(self._cumulative, quantile, side="right"))
        return int(self._tokens[min(place, len(self._tokens) - 1)])
