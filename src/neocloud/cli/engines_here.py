"""Engines that `neocloud up` starts on this machine: a plan's own, or llama.cpp with one file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from neocloud.cli.failure import Failure
from neocloud.engines import EngineStart, EngineStartError, ModelFileError, free_port
from neocloud.engines.llamacpp import LlamaOptions, model_file
from neocloud.engines.llamacpp.adapter import llamacpp_start
from neocloud.engines.sglang import sglang_start
from neocloud.engines.vllm import vllm_start
from neocloud.spec import Cloud

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan

_STARTED: dict[str, Callable[..., EngineStart]] = {"vllm": vllm_start, "sglang": sglang_start}


class EnginesHere:
    """Says how they are started, each time alike: an engine that did not change goes on.

    Args:
        grace_s: how long their answers may take at the end.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._ports: dict[str, int] = {}

    def of_plan(
        self, plan: Plan, cloud: Cloud, sites: Sequence[str], named: Collection[str]
    ) -> tuple[EngineStart, ...]:
        """Starts of the plan's real engines at these sites, but for those that run already.

        Accelerators are given out by number, in the order of the plan.

        Raises:
            Failure: no site is named of several, there is no such one, or one of its replicas
                cannot be started by us.
        """
        if not sites and len(cloud.sites) > 1:
            known = ", ".join(cloud.sites)
            raise Failure(f"--start-engines: which site is this machine? --site, one of {known}")
        for site in sites:
            if site not in cloud.sites:
                raise Failure(f"--site {site}: {cloud.file} has the sites {', '.join(cloud.sites)}")
        starts = []
        device = 0
        for placement in plan.placements:
            start = _STARTED.get(placement.engine.kind)
            if start is None or placement.site not in (sites or cloud.sites):
                continue
            count = placement.configuration.accelerators
            for replica in placement.replica_ids():
                devices = range(device, device + count)
                device += count
                if replica in named:
                    continue
                try:
                    starts.append(
                        start(
                            placement, replica, port=self._port(replica), devices=devices,
                            grace_s=self._grace_s,
                        )
                    )  # fmt: skip
                except EngineStartError as error:
                    raise Failure(str(error)) from None
        return tuple(starts)

    def of_model(self, name: str) -> EngineStart:
        """The start of llama.cpp with a file, fetched if it is named as on the hub.

        Raises:
            Failure: there is no such file, it is no model, or llama.cpp is not installed.
        """
        options = LlamaOptions(grace_s=self._grace_s)
        try:
            path = model_file(name)
            return llamacpp_start(path, name="", replica="", options=options, port=self._port(name))
        except (ModelFileError, EngineStartError) as error:
            raise Failure(f"--model: {error}") from None

    def _port(self, of: str) -> int:
        if of not in self._ports:
            self._ports[of] = free_port()
        return self._ports[of]
