"""How errors of the physics go together: chosen by search on rows left out, five folds of groups.

Coordinate by coordinate, factors of 1.5, on a robust loss of throughput (steps) and of the time to
the first token. These few numbers have seen all folds; the fits and the learned weights have not.
"""

from __future__ import annotations

from neocloud.perf.features import Scales

STEP = Scales(
    of_all=0.045,
    of_configuration=0.10,
    of_accelerator=0.036,
    of_model_engine=0.09,
    of_generation=0.06,
    of_model=0.09,
    of_release=0.075,
    of_sweep=0.10,
    lengths=4.5,
    loads=1.67,
    layouts=1.2,
    years=0.11,
    precisions=0.45,
    models=0.2,
    noise=0.033,
)
FIRST = Scales(
    of_all=0.20,
    of_configuration=0.20,
    of_accelerator=0.11,
    of_model_engine=0.40,
    of_generation=0.27,
    of_model=0.40,
    of_release=0.34,
    of_sweep=0.30,
    lengths=3.0,
    loads=1.67,
    layouts=1.2,
    years=0.11,
    precisions=0.67,
    models=0.3,
    noise=0.17,
)
