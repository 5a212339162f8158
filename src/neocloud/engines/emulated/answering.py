"""From what a request asks to what an engine will answer: texts, lengths, reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from neocloud.engines.emulated.clocked import ClockedReplica
from neocloud.engines.emulated.instances import SchemaError, instance_of
from neocloud.engines.emulated.lengths import AnswerLengths
from neocloud.engines.emulated.requests import Asked, BadRequestError
from neocloud.engines.emulated.speech import Speech, document, sentence, stopped
from neocloud.engines.emulated.tokens import prefix_ids, seed_of, tokens_of
from neocloud.engines.emulated.voice import Names, Voice
from neocloud.replica import Request


@dataclass(frozen=True, slots=True)
class Engine:
    """One replica with what its HTTP side knows of its model.

    Attributes:
        replica: runs the steps.
        lengths: answers that nothing limits are as long as these.
        max_context: prompt and answer together, tokens.
        dimensions: of its embeddings: the model's hidden size.
    """

    replica: ClockedReplica
    lengths: AnswerLengths
    max_context: int
    dimensions: int


def voices_of(engine: Engine, asked: Asked, names: Names, answer_id: str) -> list[Voice]:
    """What each of the answers asked for will say.

    Raises:
        BadRequestError: prompt and answer exceed the context, or no answer fits a schema.
    """
    limit = _limit(engine, asked)
    whole = _document(asked)
    voices = []
    for index in range(asked.n):
        stop: str | None = None
        if whole is None:
            speech, reason, stop = _text(engine, asked, limit, index)
        else:
            speech, reason = whole, "stop"
            if asked.tool is not None and not asked.tool.named:
                reason = "tool_calls"  # of a tool that the request names, OpenAI says "stop"
            if speech.tokens > limit:
                speech, reason = speech.cut(limit), "length"
        tool = None
        if asked.tool is not None:
            tool = (asked.tool.name, f"call-{answer_id}-{index}")
        voices.append(
            Voice(names, index, speech, reason, tool=tool, stop=stop, logprobs=asked.logprobs)
        )
    return voices


def sequence_of(engine: Engine, asked: Asked, speech: Speech) -> Request:
    """What the scheduler is to run for one answer."""
    return Request(
        input_tokens=tokens_of(asked.prompt),
        output_tokens=speech.tokens,
        prefix_ids=prefix_ids(
            asked.prompt + speech.laid_out,
            engine.replica.limits.block_tokens,
            asked.cache_salt,
        ),
    )


def check_context(engine: Engine, prompt_tokens: int, most: int | None, param: str) -> int:
    """How many tokens may be generated behind a prompt: `most`, or all that fit.

    Raises:
        BadRequestError: they do not fit in the context.
    """
    room = engine.max_context - prompt_tokens
    if room < 1 or (most is not None and most > room):
        raise BadRequestError(
            f"{prompt_tokens} prompt tokens and {most or 1} to generate exceed the context of "
            f"{engine.max_context} tokens",
            param=param if room < 1 else "max_tokens",
            code="context_length_exceeded",
        )
    return room if most is None else most


def _limit(engine: Engine, asked: Asked) -> int:
    return check_context(engine, tokens_of(asked.prompt), asked.max_tokens, "messages")


def _text(engine: Engine, asked: Asked, limit: int, index: int) -> tuple[Speech, str, str | None]:
    """One answer in plain text, the reason why it ends, and the stop word if that is it."""
    tokens, reason = limit, "length"
    if not asked.ignore_eos:
        own = engine.lengths.at(seed_of(asked.prompt, asked.seed + index))
        own = max(own, asked.min_tokens)
        if own <= limit:
            tokens, reason = own, "stop"
    speech = sentence(tokens, foreign=asked.foreign)
    found = stopped(speech, asked.stop, told=asked.tell_stop) if asked.stop else None
    if found is not None:
        return found[0], "stop", found[1]
    return speech, reason, None


def _document(asked: Asked) -> Speech | None:
    """The answer where it must be JSON: arguments of a tool call, or what a schema asks for."""
    schema: Any = asked.schema
    param = "response_format"
    if asked.tool is not None:
        schema, param = asked.tool.parameters, "tools"
    if schema is None:
        return None
    try:
        made = instance_of(schema)
    except (SchemaError, TypeError, AttributeError, ValueError) as error:
        raise BadRequestError(
            f"an emulated engine finds nothing that the schema allows: {error}", param=param
        ) from None
    return document(msgspec.json.encode(made).decode())
