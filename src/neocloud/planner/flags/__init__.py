"""Exact command lines that start a replica as planned, for vLLM and SGLang.

`launch_of` answers a `Launch` with one command for each node that the replica spans. What each flag
means, and what is left to whoever starts the replica, stands in docs/engine-flags.md.
"""

from neocloud.planner.flags.formats import check_drafts
from neocloud.planner.flags.launch import launch_of
from neocloud.planner.flags.records import (
    EngineLaunch,
    Launch,
    LaunchError,
    NodeCommand,
    Role,
    addressed,
)
from neocloud.planner.flags.sglang import SGLANG_VERSION
from neocloud.planner.flags.vllm import VLLM_VERSION

__all__ = [
    "SGLANG_VERSION",
    "VLLM_VERSION",
    "EngineLaunch",
    "Launch",
    "LaunchError",
    "NodeCommand",
    "Role",
    "addressed",
    "check_drafts",
    "launch_of",
]
