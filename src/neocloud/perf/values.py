"""Numbers of one configuration, or of many as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Value = float | NDArray[np.float64]
"""One number, or one a configuration: arrays that broadcast against batches."""
