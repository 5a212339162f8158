"""Slows the emulated engines, from outside the product.

Python imports a `sitecustomize` on its path at every start. This one does nothing unless the
process is the one of the emulated engines and NEOCLOUD_TEST_SLOWDOWN holds a factor. Then each step
of theirs takes that many times as long as modelled; its energy stays as it was, so that the power
drawn while a step runs falls. Whatever reads the ledger afterwards runs in a process without this.
"""

import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder

_MODULE = "neocloud.engines.emulated.building"
_FACTOR = os.environ.get("NEOCLOUD_TEST_SLOWDOWN")


class _SlowSteps:
    """A step table whose steps last `factor` times as long."""

    def __init__(self, table, factor):
        self._table = table
        self._factor = factor

    @property
    def idle_watts(self):
        return self._table.idle_watts

    def cost(self, *composition):
        seconds, joules = self._table.cost(*composition)
        return seconds * self._factor, joules


class _Loader(Loader):
    def __init__(self, inner):
        self._inner = inner

    def create_module(self, spec):
        return self._inner.create_module(spec)

    def exec_module(self, module):
        self._inner.exec_module(module)
        modelled = module.placement_table  # it must be there: else the hook has lost its hold
        factor = float(_FACTOR)
        module.placement_table = lambda *given: _SlowSteps(modelled(*given), factor)
        sys.stderr.write(f"steps slowed by {factor}\n")


class _Finder(MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        if fullname != _MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        spec.loader = _Loader(spec.loader)
        return spec


if _FACTOR and "neocloud.engines.emulated" in sys.orig_argv:
    sys.meta_path.insert(0, _Finder())
