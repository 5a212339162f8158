"""What the writing of flags takes and gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from neocloud.catalog import Architecture
from neocloud.perf import Configuration, Memory


class LaunchError(ValueError):
    """A configuration that this release of the engine cannot run."""


class Role(StrEnum):
    """What of a request a replica computes."""

    AGGREGATED = "aggregated"
    """Prompt and answer."""
    PREFILL = "prefill"
    """The prompt; the KV cache then goes to a replica that decodes."""
    DECODE = "decode"
    """The answer, from a KV cache that another replica filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A replica to be started.

    Attributes:
        engine: `vllm` or `sglang`.
        checkpoint: where the weights are: a name on the hub, or a folder.
        served_name: what clients call the model.
        configuration: how the replica runs; its `engine` field is not looked at.
        architecture: the model, as its own `config.json` has it.
        memory: what one accelerator holds in this configuration.
        max_context: longest prompt and answer together, tokens.
        queued_requests: requests that may wait before further ones are refused; None: no limit.
        role: prompt, answer or both.
        nodes: nodes that the replica spans, with equal parts of its accelerators.
        host: address that the HTTP server listens on. None: this machine only where the replica
            stands in one node and does the whole request, else the node's own address.
    """

    engine: str
    checkpoint: str
    served_name: str
    configuration: Configuration
    architecture: Architecture
    memory: Memory
    max_context: int
    queued_requests: int | None = None
    role: Role = Role.AGGREGATED
    nodes: int = 1
    host: str | None = None

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.configuration.accelerators % self.nodes:
            raise LaunchError(
                f"{self.configuration.accelerators} accelerators cannot be split evenly over "
                f"{self.nodes} nodes"
            )
        if self.queued_requests is not None and self.queued_requests < 0:
            raise LaunchError(f"{self.queued_requests} waiting requests are fewer than none")


class NodeCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What to start on one node."""

    arguments: tuple[str, ...]
    """After the program's name, `vllm` or `sglang`."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables to set, by name."""


class EngineLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """Commands that start one replica.

    Arguments and variables may hold `$NODE_0`, `$NODE_1`, ...: the address at which the other nodes
    of the replica, and the replicas of the other role, reach that node. `addressed` fills them in.
    """

    kind: str
    """vllm or sglang."""
    version: str
    """The release that the flags are of."""
    nodes: tuple[NodeCommand, ...]
    """One command a node, the first node's first: that one answers requests."""
    notes: tuple[str, ...] = ()
    """What no flag says and whoever starts the replica must know."""


def node_address(node: int) -> str:
    """Stands for the address of a replica's node, counted from 0."""
    return f"$NODE_{node}"


def addressed(launch: EngineLaunch, addresses: Sequence[str]) -> EngineLaunch:
    """The same commands with the nodes' addresses filled in.

    Raises:
        LaunchError: there is not one address for each node.
    """
    if len(addresses) != len(launch.nodes):
        raise LaunchError(f"{len(launch.nodes)} nodes need as many addresses, not {len(addresses)}")

    def filled(text: str) -> str:
        return re.sub(r"\$NODE_(\d+)", lambda found: addresses[int(found[1])], text)

    nodes = tuple(
        NodeCommand(
            arguments=tuple(map(filled, node.arguments)),
            environment=tuple((name, filled(value)) for name, value in node.environment),
        )
        for node in launch.nodes
    )
    return msgspec.structs.replace(launch, nodes=nodes)
