"""The HTTP side of all emulated replicas: paths, answers, refusals."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from neocloud.engines.emulated.clocked import ClockedReplica
from neocloud.engines.emulated.delivery import StreamedDelivery, WholeDelivery
from neocloud.engines.emulated.lengths import AnswerLengths
from neocloud.engines.emulated.requests import (
    Asked,
    BadRequestError,
    read_chat,
    read_completion,
)
from neocloud.engines.emulated.tokens import answer_text, prefix_ids, seed_of, tokens_of
from neocloud.engines.emulated.wording import (
    CHAT,
    COMPLETION,
    JSON_HEADERS,
    MARK,
    Interface,
    Wording,
    error_of,
)
from neocloud.replica import RefusalReason, Request
from neocloud.wire import Exchange, header_lines

_PLACES = "/replicas/"
_METRICS_HEADERS = header_lines(
    ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"), MARK)
)
_HEALTH_HEADERS = header_lines((MARK,))


@dataclass(frozen=True, slots=True)
class Engine:
    """One replica with what its HTTP side knows of its model.

    Attributes:
        replica: runs the steps.
        lengths: answers that nothing limits are as long as these.
        max_context: prompt and answer together, tokens.
    """

    replica: ClockedReplica
    lengths: AnswerLengths
    max_context: int


class Service:
    """Hands each request to the replica that its path names.

    Args:
        engines: by id, `site/pool/model/ordinal`.
        fingerprint: said in each answer as `system_fingerprint`.
    """

    def __init__(self, engines: Mapping[str, Engine], fingerprint: str) -> None:
        self._engines = engines
        self._fingerprint = fingerprint.encode("ascii")
        self._created = int(time.time())
        self._pages: dict[str, tuple[str, Callable[[Exchange, Engine], None]]] = {
            "v1/chat/completions": ("POST", self._chat),
            "v1/completions": ("POST", self._completion),
            "v1/models": ("GET", self._models),
            "health": ("GET", self._health),
            "metrics": ("GET", self._metrics),
        }

    def __call__(self, exchange: Exchange) -> None:
        """Answer, or take on, one request."""
        try:
            self._route(exchange)
        except BadRequestError as refused:
            exchange.respond(refused.status, JSON_HEADERS, error_of(refused))

    def _route(self, exchange: Exchange) -> None:
        path = exchange.path
        if path == "/":
            body = msgspec.json.encode({"emulated": True, "replicas": list(self._engines)})
            exchange.respond(200, JSON_HEADERS, body)
            return
        parts = path.removeprefix(_PLACES).split("/", 4)
        engine = self._engines.get("/".join(parts[:4])) if path.startswith(_PLACES) else None
        if engine is None or len(parts) < 5:
            raise BadRequestError(
                f"no replica at {path}; GET / lists them", status=404, code="not_found"
            )
        page = self._pages.get(parts[4])
        if page is None:
            raise BadRequestError(
                f"an emulated engine has no page {parts[4]!r}, only {', '.join(self._pages)}",
                status=404,
                code="not_found",
            )
        method, answer = page
        if exchange.method != method:
            raise BadRequestError(
                f"{parts[4]} takes {method}, not {exchange.method}",
                status=405,
                code="method_not_allowed",
            )
        answer(exchange, engine)

    def _chat(self, exchange: Exchange, engine: Engine) -> None:
        self._complete(exchange, engine, CHAT, read_chat(exchange.body))

    def _completion(self, exchange: Exchange, engine: Engine) -> None:
        self._complete(exchange, engine, COMPLETION, read_completion(exchange.body))

    def _complete(
        self, exchange: Exchange, engine: Engine, interface: Interface, asked: Asked
    ) -> None:
        replica = engine.replica
        if asked.model != replica.model:
            raise BadRequestError(
                f"the model {asked.model!r} is not here, only {replica.model!r}",
                param="model",
                code="model_not_found",
                status=404,
            )
        prompt_tokens = tokens_of(asked.prompt)
        output_tokens, reason = _output(engine, asked, prompt_tokens)
        wording = Wording(
            interface,
            answer_id=uuid.uuid4().hex.encode("ascii"),
            created=int(time.time()),
            model=replica.model.encode("ascii"),
            fingerprint=self._fingerprint,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            finish_reason=reason,
            include_usage=asked.include_usage,
            continuous_usage=asked.continuous_usage,
        )
        deliver = StreamedDelivery if asked.stream else WholeDelivery
        refused = replica.submit(
            Request(
                input_tokens=prompt_tokens,
                output_tokens=output_tokens,
                prefix_ids=prefix_ids(
                    asked.prompt + answer_text(output_tokens), replica.limits.block_tokens
                ),
            ),
            deliver(exchange, wording),
        )
        if refused is not None:
            full = refused.reason == RefusalReason.QUEUE_FULL
            raise BadRequestError(
                refused.message, code=str(refused.reason), status=503 if full else 400
            )

    def _models(self, exchange: Exchange, engine: Engine) -> None:
        model = {
            "id": engine.replica.model,
            "object": "model",
            "created": self._created,
            "owned_by": "neocloud-emulated",
            "max_model_len": engine.max_context,
        }
        exchange.respond(
            200, JSON_HEADERS, msgspec.json.encode({"object": "list", "data": [model]})
        )

    def _health(self, exchange: Exchange, engine: Engine) -> None:  # noqa: ARG002
        exchange.respond(200, _HEALTH_HEADERS)

    def _metrics(self, exchange: Exchange, engine: Engine) -> None:
        exchange.respond(200, _METRICS_HEADERS, engine.replica.metrics())


def _output(engine: Engine, asked: Asked, prompt_tokens: int) -> tuple[int, bytes]:
    """How many tokens the answer gets, and the reason why it ends there."""
    room = engine.max_context - prompt_tokens
    most = asked.max_tokens
    if room < 1 or (most is not None and most > room):
        raise BadRequestError(
            f"{prompt_tokens} prompt tokens and {most or 1} to generate exceed the context of "
            f"{engine.max_context} tokens",
            param="messages" if room < 1 else "max_tokens",
            code="context_length_exceeded",
        )
    limit = room if most is None else most
    if asked.ignore_eos:
        return limit, b"length"
    own = engine.lengths.at(seed_of(asked.prompt, asked.seed))
    return (own, b"stop") if own <= limit else (limit, b"length")
