"""How long a model's requests are: the mix of its demands' traces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Catalog
from neocloud.perf import Load
from neocloud.spec import Cloud, Demand, FixedLengths


@dataclass(frozen=True, slots=True)
class Lengths:
    """Weighted pairs of prompt and answer length; the weights sum to 1."""

    input_tokens: NDArray[np.float64]
    output_tokens: NDArray[np.float64]
    weight: NDArray[np.float64]

    def mean_input(self) -> float:
        """Mean prompt length, tokens."""
        return float(self.input_tokens @ self.weight)

    def mean_output(self) -> float:
        """Mean answer length, tokens."""
        return float(self.output_tokens @ self.weight)

    def input_at(self, percentile: float) -> float:
        """Prompt length that `percentile` per cent of the requests do not exceed."""
        order = np.argsort(self.input_tokens, kind="stable")
        cumulative = np.cumsum(self.weight[order])
        index = int(np.searchsorted(cumulative, percentile / 100.0 - 1e-12))
        return float(self.input_tokens[order][min(index, len(order) - 1)])

    def load(self, percentile: float) -> Load:
        """What a replica is asked, for objectives at `percentile`."""
        mean_input, mean_output = self.mean_input(), self.mean_output()
        second = float((self.input_tokens**2) @ self.weight)
        attended = self.output_tokens * (self.input_tokens + self.output_tokens / 2.0)
        return Load(
            input_tokens=mean_input,
            output_tokens=mean_output,
            context_tokens=float(attended @ self.weight) / mean_output,
            input_cv2=max(0.0, second / mean_input**2 - 1.0),
            input_at_percentile=self.input_at(percentile),
            typical_output_tokens=float((self.output_tokens**-0.5) @ self.weight) ** -2,
        )


def _of_demand(demand: Demand, catalog: Catalog) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(demand.lengths, FixedLengths):
        return (
            np.array([float(demand.lengths.input_tokens)]),
            np.array([float(demand.lengths.output_tokens)]),
        )
    trace = catalog.trace(demand.lengths)
    return trace.input_tokens.astype(np.float64), trace.output_tokens.astype(np.float64)


def lengths_of(cloud: Cloud, catalog: Catalog, model: str) -> Lengths:
    """Mix the lengths of all demands for `model`, each by its rate.

    Raises:
        ValueError: no demand names the model.
    """
    demands = [d for d in cloud.demand if d.model == model]
    total = sum(d.requests_per_s for d in demands)
    if total <= 0:
        raise ValueError(f"no demand for {model}")
    inputs, outputs, weights = [], [], []
    for demand in demands:
        i, o = _of_demand(demand, catalog)
        inputs.append(i)
        outputs.append(o)
        weights.append(np.full(len(i), demand.requests_per_s / total / len(i)))
    return Lengths(np.concatenate(inputs), np.concatenate(outputs), np.concatenate(weights))
