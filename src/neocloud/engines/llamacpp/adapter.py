"""llama.cpp from the gateway's side."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from pathlib import Path

import msgspec

from neocloud.engines.child import Command
from neocloud.engines.endpoint import endpoint_of_url
from neocloud.engines.errors import EngineStartError, ModelFileError
from neocloud.engines.kinds import LLAMACPP
from neocloud.engines.llamacpp.gguf_file import GgufHead, read_head
from neocloud.engines.running import EngineStart, StartedEngine, free_port, started

_READY_WITHIN_S = 300.0
"""A file of tens of gigabytes from a slow disk."""


class LlamaOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How llama.cpp runs.

    Attributes:
        threads: that compute; 0 takes one a core.
        context: tokens of one request, prompt and answer; never more than the model's own.
        parallel: requests at once; more wait in its queue, without bound. The KV cache is as large
            as `context` times `parallel`.
        gpu_layers: layers on a GPU, where the installed build has one; -1 takes what fits.
        prompt_cache: keep the cache of a prompt for the next that begins alike. llama.cpp has no
            salt: where tenants must not be able to time each other's prompts, switch it off.
        grace_s: how long running answers may take once it is told to end.
        log_path: file for its output; None keeps none.
    """

    threads: int = 0
    context: int = 4096
    parallel: int = 4
    gpu_layers: int = -1
    prompt_cache: bool = True
    grace_s: float = 30.0
    log_path: Path | None = None


class LlamaCpp:
    """Starts llama.cpp, from the extra `local`, in a process of its own.

    A llama-server that runs already is attached by `endpoint_of_url(..., kind="llamacpp")`.
    """

    @staticmethod
    def start(
        model_path: Path,
        *,
        name: str = "",
        replica: str = "",
        options: LlamaOptions | None = None,
        port: int = 0,
    ) -> AbstractAsyncContextManager[StartedEngine]:
        """A started engine that serves the file: `async with LlamaCpp.start(path) as engine`.

        Args:
            model_path: the GGUF file.
            name: what clients call the model; the file's own name without ending unless given.
            replica: id under which it is known here; `local/llamacpp/NAME/0` unless given.
            options: how it runs.
            port: to listen on at 127.0.0.1; 0 takes a free one.

        Raises:
            EngineStartError: llama.cpp is not installed, the file is no model, or it did not come
                up; the message says what to do.
        """
        return started(
            llamacpp_start(
                model_path, name=name, replica=replica, options=options or LlamaOptions(), port=port
            )
        )


def llamacpp_start(
    model_path: Path, *, name: str, replica: str, options: LlamaOptions, port: int
) -> EngineStart:
    """What starts llama.cpp on a file.

    Raises:
        EngineStartError: llama.cpp is not installed, or the file is no model.
    """
    if find_spec("xllamacpp") is None:
        raise EngineStartError("llama.cpp is not installed: pip install 'neocloud[local]'")
    try:
        head = read_head(model_path)
    except ModelFileError as error:
        raise EngineStartError(str(error)) from None
    name = name or model_path.stem
    port = port or free_port()
    return EngineStart(
        endpoint=endpoint_of_url(
            f"http://127.0.0.1:{port}",
            replica=replica or f"local/{LLAMACPP}/{name}/0",
            model=name,
            kind=LLAMACPP,
            precision=head.precision,
        ),
        command=Command(
            arguments=_arguments(model_path, name, port, head, options), log_path=options.log_path
        ),
        ready_within_s=_READY_WITHIN_S,
        grace_s=options.grace_s,
    )


def _arguments(
    model_path: Path, name: str, port: int, head: GgufHead, options: LlamaOptions
) -> tuple[str, ...]:
    context = min(options.context, head.context) if head.context else options.context
    arguments = [
        sys.executable, "-m", "neocloud.engines.llamacpp",
        "--model", str(model_path.resolve()),
        "--name", name,
        "--port", str(port),
        "--threads", str(options.threads),
        "--context", str(context),
        "--parallel", str(options.parallel),
        "--gpu-layers", str(options.gpu_layers),
        "--grace", f"{options.grace_s:g}",
    ]  # fmt: skip
    if head.pooling:
        arguments.append("--own-pooling")
    if not options.prompt_cache:
        arguments.append("--no-prompt-cache")
    return tuple(arguments)
