"""Launches to write flags for, and flags read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neocloud.catalog import load_catalog
from neocloud.perf import Configuration, memory
from neocloud.planner.flags import EngineLaunch, Launch, launch_of

from .known import SWITCHES, VALUES

CATALOG = load_catalog()
OF_LAUNCH = ("queued_requests", "role", "nodes", "host", "served_name", "max_context")


def request_for(model: str, engine: str, checkpoint: str = "", **fields: Any) -> Launch:
    """A launch of a model of the catalog; fields of the configuration may stand among `fields`."""
    of_launch = {name: fields.pop(name) for name in OF_LAUNCH if name in fields}
    architecture = CATALOG.architecture(model)
    fields.setdefault("precision", architecture.published_precision)
    configuration = Configuration(**{"accelerator": "h200-sxm", "tp": 1} | fields)
    accelerator = CATALOG.accelerator(configuration.accelerator)
    return Launch(
        **{
            "engine": engine,
            "checkpoint": checkpoint or model,
            "served_name": "m",
            "configuration": configuration,
            "architecture": architecture,
            "memory": memory(architecture, accelerator, configuration),
            "max_context": 32768,
        }
        | of_launch
    )


@dataclass(frozen=True)
class Flags:
    """One node's arguments, read back."""

    values: dict[str, str]
    switches: frozenset[str]

    def count(self, name: str, otherwise: int = 1) -> int:
        return int(self.values.get(name, otherwise))


def read(engine: str, arguments: tuple[str, ...]) -> Flags:
    """Arguments by name. A flag that the release does not define, or one given twice, fails."""
    rest = list(arguments)
    assert rest.pop(0) == "serve"
    if engine == "vllm":
        assert not rest.pop(0).startswith("-")
    values: dict[str, str] = {}
    switches: set[str] = set()
    while rest:
        name = rest.pop(0)
        if name in SWITCHES[engine]:
            assert name not in switches
            switches.add(name)
        else:
            assert name in VALUES[engine], f"{engine} has no {name}"
            assert name not in values
            values[name] = rest.pop(0)
    return Flags(values, frozenset(switches))


def flags_of(request: Launch, node: int = 0) -> Flags:
    return read(request.engine, launch_of(request).nodes[node].arguments)


def line(launch: EngineLaunch, node: int = 0) -> str:
    return " ".join(launch.nodes[node].arguments)
