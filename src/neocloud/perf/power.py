"""Power of an accelerator: modelled from its rating, not fitted; 18 measured rows judge nothing.

Shares of TDP are those between which measured board power of these rows lay (InferenceX, MI355X):
0.25 to 0.36 where memory and compute idle most of the step, 0.56 to 0.66 under load.
"""

from __future__ import annotations

from neocloud.catalog import Accelerator

_STATIC = 0.20
"""Share of TDP in a step that uses neither memory nor compute."""
_DYNAMIC = 0.65
"""Share of TDP added when memory or compute is busy all the time."""
_IDLE = 0.16
"""Share of TDP between steps, model loaded. Assumed: H100 boards idle near 110 of 700 W."""
_HOST = 0.60
"""Share of the node's own maximum (all but accelerators) that it draws. Assumed."""


def power_of(accelerator: Accelerator) -> dict[str, float]:
    """Watts of one accelerator with its share of the node: in an empty step, added, idle.

    Raises:
        MissingFigureError: TDP or node power is not known.
    """
    tdp = accelerator.tdp_w.known(f"TDP of {accelerator.key}")
    node = accelerator.node_power_w.known(f"node power of {accelerator.key}")
    host = max(0.0, node / accelerator.node_accelerators - tdp) * _HOST
    return {
        "static_w": tdp * _STATIC + host,
        "dynamic_w": tdp * _DYNAMIC,
        "idle_w": tdp * _IDLE + host,
    }
