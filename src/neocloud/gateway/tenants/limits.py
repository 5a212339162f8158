"""A tenant's limits at the door: what a request may use at most, refusals, and header fields."""

from __future__ import annotations

from neocloud.gateway.apis.api import Asked
from neocloud.gateway.apis.media import Media
from neocloud.gateway.apis.refusals import ApiError, whole_seconds
from neocloud.gateway.tenants.rules import MEDIUM_TOKENS, TEMPLATE_TOKENS, ModelRule
from neocloud.quotas import RateLeft, Refusal
from neocloud.wire import NO_LINES, Lines

UNBOUNDED_OUTPUT = 4096
"""Output tokens reckoned with where neither client nor file bounds an answer: assumption."""

_WHY = {
    "requests": "too many requests: the limit is {limit} a minute",
    "tokens": "too many tokens: the limit is {limit} a minute, and what a request may still use "
    "counts",
    "concurrency": "too many requests at once: the limit is {limit}",
    "budget": "the budget of this month is used up",
    "unavailable": "limits cannot be checked at present",
}
_NEVER = {
    "tokens": "this request alone exceeds the limit of {limit} tokens a minute",
    "budget": "this request alone may cost more than the budget of a month",
}


def output_bound(asked: Asked, rule: ModelRule, api: str) -> int:
    """The most tokens that all answers to a request may have together."""
    if api == "embeddings":
        return 0
    limit = asked.limit if asked.limit is not None else rule.max_output_tokens
    return (UNBOUNDED_OUTPUT if limit is None else limit) * asked.answers


def input_bound(media: Media, body_bytes: int) -> int:
    """The most tokens that a prompt may be: one a byte, what the template adds, and its media.

    No tokenizer that starts from bytes makes more tokens than there are bytes. The whole body is
    taken, since tools and formats are put into the prompt too.
    """
    return body_bytes - media.bytes + TEMPLATE_TOKENS + media.parts * MEDIUM_TOKENS


def refused(refusal: Refusal, lines: Lines) -> ApiError:
    """The error that tells a tenant which limit it met."""
    kind = str(refusal.kind)
    if kind == "unavailable":
        return ApiError(503, _WHY[kind], "limits_unavailable", retry_after_s=1.0)
    code = "insufficient_quota" if kind == "budget" else "rate_limit_exceeded"
    wait_s = refusal.retry_after_s
    if wait_s is None:
        why = _NEVER.get(kind, _WHY[kind]).format(limit=refusal.limit)
        if kind == "tokens":
            return ApiError(413, why, "request_exceeds_limit", lines=lines)
        return ApiError(429, why, code, lines=lines)
    why = f"{_WHY[kind].format(limit=refusal.limit)}; come again in {whole_seconds(wait_s)} s"
    return ApiError(429, why, code, lines=lines, retry_after_s=wait_s)


_REQUESTS = (
    b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %d\r\n"
    b"x-ratelimit-reset-requests: %dms\r\n"
)
_TOKENS = _REQUESTS.replace(b"requests", b"tokens")
_BOTH = _REQUESTS + _TOKENS


def limit_lines(rates: tuple[RateLeft | None, RateLeft | None]) -> Lines:
    """OpenAI's header fields of what is left of a tenant's requests and tokens a minute."""
    requests, tokens = rates
    if requests is None and tokens is None:
        return NO_LINES
    if requests is None or tokens is None:
        one, form = (tokens, _TOKENS) if requests is None else (requests, _REQUESTS)
        assert one is not None, "one of the two is there"
        return Lines(form % (one.limit, one.remaining, int(one.reset_s * 1e3)))
    return Lines(
        _BOTH
        % (
            requests.limit, requests.remaining, int(requests.reset_s * 1e3),
            tokens.limit, tokens.remaining, int(tokens.reset_s * 1e3),
        )
    )  # fmt: skip
