"""The HTTP side of all emulated replicas: paths, answers, refusals."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from neocloud.engines.emulated.answering import (
    Engine,
    check_context,
    sequence_of,
    voices_of,
)
from neocloud.engines.emulated.delivery import Delivery, StreamedDelivery, WholeDelivery
from neocloud.engines.emulated.embeddings import VectorDelivery, read_embeddings
from neocloud.engines.emulated.faults import NONE, Faults, read_faults
from neocloud.engines.emulated.requests import (
    Asked,
    BadRequestError,
    read_chat,
    read_completion,
)
from neocloud.engines.emulated.tokens import prefix_ids, tokens_of
from neocloud.engines.emulated.voice import CHAT, COMPLETION, Names
from neocloud.engines.emulated.wording import (
    JSON_HEADERS,
    MARK,
    SHUT_DOWN,
    Wording,
    error_of,
)
from neocloud.replica import Refusal, RefusalReason, Request
from neocloud.wire import Exchange, header_lines

Family = Literal["vllm", "sglang"]
"""Whose names the metrics have."""

_PLACES = "/replicas/"
_CONTROL = "/control/faults"
_METRICS_HEADERS = header_lines(
    ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"), MARK)
)
_HEALTH_HEADERS = header_lines((MARK,))


class Service:
    """Hands each request to the replica that its path names.

    Args:
        engines: by id, `site/pool/model/ordinal`.
        fingerprint: said in each answer as `system_fingerprint`.
        family: whose metrics and health pages they have.
        stream_interval: tokens of an event.
        faults: of replicas, by id.
        control: faults may be changed while it runs, at `/control/faults`.

    Attributes:
        draining: new requests are refused with 500, as from engines that are about to end.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        fingerprint: str,
        *,
        family: Family = "vllm",
        stream_interval: int = 1,
        faults: Mapping[str, Faults] | None = None,
        control: bool = False,
    ) -> None:
        self._engines = engines
        self._names = {id(engine): name for name, engine in engines.items()}
        self._fingerprint = fingerprint.encode("ascii")
        self._family = family
        self._interval = stream_interval
        self._control = control
        self._created = int(time.time())
        self._faults: dict[str, Faults] = {}
        self._loaded_at: dict[str, float] = {}
        self.draining = False
        for name, of_replica in (faults or {}).items():
            self.set_faults(name, of_replica)
        self._pages: dict[str, tuple[str, Callable[[Exchange, Engine], None]]] = {
            "v1/chat/completions": ("POST", self._chat),
            "v1/completions": ("POST", self._completion),
            "v1/embeddings": ("POST", self._embeddings),
            "v1/models": ("GET", self._models),
            "health": ("GET", self._health),
            "metrics": ("GET", self._metrics),
            **(
                {"ready": ("GET", self._health)}
                if family == "sglang"
                else {
                    "ping": ("GET", self._health),
                    "load": ("GET", self._load),
                    "version": ("GET", self._version),
                }
            ),
        }

    def set_faults(self, name: str, faults: Faults) -> None:
        """Replace the faults of a replica, for requests from now on; `Faults()` is none."""
        self._faults[name] = faults
        self._loaded_at[name] = asyncio.get_running_loop().time() + faults.loading_s

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
        if self._control and path.startswith(_CONTROL):
            self._steer(exchange, path.removeprefix(_CONTROL).removeprefix("/"))
            return
        parts = path.removeprefix(_PLACES).split("/", 4)
        name = "/".join(parts[:4])
        engine = self._engines.get(name) if path.startswith(_PLACES) else None
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
        self._check_up(name, taken=method == "POST")
        answer(exchange, engine)

    def _check_up(self, name: str, *, taken: bool) -> None:
        """Raise unless the replica serves; `taken` where it is asked for work."""
        if name in self._faults and asyncio.get_running_loop().time() < self._loaded_at[name]:
            raise BadRequestError("the replica is loading", status=503, code="loading")
        if taken and (self.draining or self._faults.get(name, NONE).refuse):
            raise BadRequestError(SHUT_DOWN, status=500, code="draining")

    def _steer(self, exchange: Exchange, name: str) -> None:
        """Tell or change faults: of one replica, or of all where none is named."""
        if name and name not in self._engines:
            raise BadRequestError(f"no replica {name!r}", status=404, code="not_found")
        if exchange.method == "PUT":
            faults = read_faults(exchange.body)
            for one in [name] if name else self._engines:
                self.set_faults(one, faults)
        elif exchange.method != "GET":
            raise BadRequestError("faults take GET and PUT", status=405)
        told = {one: self._faults.get(one, NONE) for one in ([name] if name else self._engines)}
        exchange.respond(200, JSON_HEADERS, msgspec.json.encode(told))

    def _chat(self, exchange: Exchange, engine: Engine) -> None:
        self._complete(exchange, engine, CHAT, read_chat(exchange.body))

    def _completion(self, exchange: Exchange, engine: Engine) -> None:
        self._complete(exchange, engine, COMPLETION, read_completion(exchange.body))

    def _complete(self, exchange: Exchange, engine: Engine, names: Names, asked: Asked) -> None:
        self._check_model(engine, asked.model)
        answer_id = uuid.uuid4().hex
        voices = voices_of(engine, asked, names, answer_id)
        wording = Wording(
            voices,
            answer_id=answer_id.encode("ascii"),
            created=int(time.time()),
            model=engine.replica.model.encode("ascii"),
            fingerprint=self._fingerprint,
            prompt_tokens=tokens_of(asked.prompt),
            include_usage=asked.include_usage,
            continuous_usage=asked.continuous_usage,
        )
        delivery: Delivery
        if asked.stream:
            faults = self._faults.get(self._names[id(engine)], NONE)
            delivery = StreamedDelivery(exchange, wording, self._interval, faults)
        else:
            delivery = WholeDelivery(exchange, wording)
        sequences = [sequence_of(engine, asked, voice.speech) for voice in voices]
        _check_taken(engine.replica.submit(sequences, delivery))

    def _embeddings(self, exchange: Exchange, engine: Engine) -> None:
        asked = read_embeddings(exchange.body, engine.dimensions)
        self._check_model(engine, asked.model)
        block_tokens = engine.replica.limits.block_tokens
        sequences = []
        for laid_out in asked.inputs:
            tokens = tokens_of(laid_out)
            check_context(engine, tokens, 1, "input")
            # The step that ends a prompt gives a token: here it stands for the vector.
            ids = prefix_ids(laid_out, block_tokens)
            sequences.append(Request(input_tokens=tokens, output_tokens=1, prefix_ids=ids))
        delivery = VectorDelivery(
            exchange,
            asked,
            engine.dimensions,
            sum(sequence.input_tokens for sequence in sequences),
            self._fingerprint.decode(),
        )
        _check_taken(engine.replica.submit(sequences, delivery))

    def _check_model(self, engine: Engine, model: str) -> None:
        if model != engine.replica.model:
            raise BadRequestError(
                f"the model {model!r} is not here, only {engine.replica.model!r}",
                param="model",
                code="model_not_found",
                status=404,
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
        # SGLang says that it drains, vLLM does not.
        status = 503 if self.draining and self._family == "sglang" else 200
        exchange.respond(status, _HEALTH_HEADERS)

    def _load(self, exchange: Exchange, engine: Engine) -> None:
        body = msgspec.json.encode({"server_load": engine.replica.open_requests})
        exchange.respond(200, JSON_HEADERS, body)

    def _version(self, exchange: Exchange, engine: Engine) -> None:  # noqa: ARG002
        body = msgspec.json.encode({"version": self._fingerprint.decode()})
        exchange.respond(200, JSON_HEADERS, body)

    def _metrics(self, exchange: Exchange, engine: Engine) -> None:
        exchange.respond(200, _METRICS_HEADERS, engine.replica.metrics(self._family))


def _check_taken(refused: Refusal | None) -> None:
    """Raise what the scheduler said if it did not take a request."""
    if refused is not None:
        full = refused.reason == RefusalReason.QUEUE_FULL
        raise BadRequestError(
            refused.message, code=str(refused.reason), status=503 if full else 400
        )
