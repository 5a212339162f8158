"""From a planned replica to the commands that start it."""

from __future__ import annotations

from neocloud.planner.flags.families import REMOTE_CODE, Parsers, family_of
from neocloud.planner.flags.formats import (
    FP8_CACHE_ONLY,
    block_tokens,
    check_drafts,
    online_quantization,
)
from neocloud.planner.flags.layout import Settled, sizes_of
from neocloud.planner.flags.records import EngineLaunch, Launch, LaunchError, Role
from neocloud.planner.flags.sglang import SGLANG_VERSION, sglang_nodes
from neocloud.planner.flags.vllm import VLLM_VERSION, vllm_nodes

_ENGINES = {"vllm": (VLLM_VERSION, vllm_nodes), "sglang": (SGLANG_VERSION, sglang_nodes)}


def launch_of(request: Launch) -> EngineLaunch:
    """Commands that start a replica as planned, one a node.

    Raises:
        LaunchError: the engine is not known, or its release cannot run this configuration.
    """
    if request.engine not in _ENGINES:
        raise LaunchError(f"engine {request.engine!r} is not one of {', '.join(_ENGINES)}")
    version, nodes_of = _ENGINES[request.engine]
    check_drafts(request.engine, request.architecture, request.configuration)
    parsers, parser_notes = _parsers(request)
    quantization, weights_note = online_quantization(
        request.engine, request.architecture, request.configuration
    )
    settled = Settled(
        sizes=sizes_of(request),
        block_tokens=block_tokens(request.architecture, request.configuration),
        quantization=quantization,
        parsers=parsers,
    )
    notes = [*parser_notes, weights_note, *_cache_notes(request, settled), _queue_note(request)]
    return EngineLaunch(
        kind=request.engine,
        version=version,
        nodes=nodes_of(request, settled),
        notes=tuple(note for note in notes if note),
    )


def _parsers(request: Launch) -> tuple[Parsers, list[str]]:
    name = request.architecture.name
    notes = []
    if request.architecture.model_type in REMOTE_CODE:
        notes.append(
            f"{name} brings code for its tokenizer: the engine asks for --trust-remote-code, "
            "which is yours to add once you trust it"
        )
    family = family_of(request.architecture, request.checkpoint)
    if family is None:
        notes.append(
            f"no parser of tool calls or reasoning is known for {name}: what the model writes "
            "reaches clients as it is"
        )
        return Parsers(), notes
    parsers = family.vllm if request.engine == "vllm" else family.sglang
    if parsers.template:
        notes.append(
            f"tool calls of {family.name} need --chat-template with {parsers.template} of the "
            f"repository of {request.engine}"
        )
    return parsers, notes


def _cache_notes(request: Launch, settled: Settled) -> list[str]:
    c, model = request.configuration, request.architecture
    notes = []
    if model.model_type in FP8_CACHE_ONLY and c.kv_precision != "fp8":
        notes.append(
            f"the plan is for a KV cache in {c.kv_precision}, and {model.name} has one in fp8 only"
        )
    if settled.block_tokens != c.block_tokens:
        notes.append(
            f"KV blocks of {settled.block_tokens} tokens in place of {c.block_tokens}: the kernels "
            f"of {model.name} take no smaller ones"
        )
    return notes


def _queue_note(request: Launch) -> str:
    if request.queued_requests is None or request.engine != "sglang":
        return ""
    if request.role is Role.AGGREGATED:
        return ""
    return "SGLang bounds no queue where prompts and answers are computed apart"
