"""The mix of steps in a steady state: without a prompt, with one, with several.

In every step each of B generating sequences gives one token, and a request gives O of them. So
B / O requests end in a step on average and as many prompts come in, whatever a step takes. They
come independently: their number in a step is Poisson, and their tokens have its compound mean and
variance. The mean over that distribution is taken at three points (no prompt, and two that have the
mean and variance of the rest). A step's time bends with its tokens, so this is more than the time
of a step with the mean number of tokens: several prompts that share a step cost more together than
one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neocloud.perf import kernels
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.records import Load

Array = Any


@dataclass(frozen=True, slots=True)
class Mix:
    """Steps of a replica on which `batch` sequences generate, seconds and joules.

    Attributes:
        plain: time of a step without a prompt.
        mean: mean time of a step.
        square: mean of its square.
        prompt: time that one prompt adds to steps, mean.
        share: of the time, what prompts add to steps.
        busy_with_prompt: of the time, what steps with a prompt take.
        joules: mean energy of a step.
        room: share of the tokens a step may carry that are carried on average.
    """

    plain: Array
    mean: Array
    square: Array
    prompt: Array
    share: Array
    busy_with_prompt: Array
    joules: Array
    room: Array


def decode_seconds(n: StepNumbers, load: Load, batch: Array) -> Array:
    """Seconds of a step that only generates, for `batch` sequences."""
    nothing = np.zeros_like(np.asarray(batch, dtype=float))
    return kernels.step_seconds(n, batch, batch * load.context, nothing, nothing)


def chunks_of(prompt: float, batch: Array, batch_tokens: Array) -> Array:
    """Equal pieces that a prompt is cut into so that each fits a step beside `batch` others."""
    return np.ceil(prompt / np.maximum(batch_tokens - batch, 1.0))


def mix_of_steps(n: StepNumbers, load: Load, batch: Array, batch_tokens: Array) -> Mix:
    """See the module's text.

    Args:
        n: numbers of one configuration, or of n as columns (n, 1).
        load: lengths of the requests.
        batch: mean decode batch, above 0; broadcasts against the columns.
        batch_tokens: tokens that one step may carry.
    """
    space = np.maximum(batch_tokens - batch, 1.0)
    chunks = chunks_of(load.input_tokens, batch, batch_tokens)
    piece = load.input_tokens / chunks
    prompts = batch / load.output_tokens
    pieces = prompts * chunks
    some = -np.expm1(-pieces)
    mean = pieces * piece / some
    second = (pieces * (1.0 + load.input_cv2) + np.square(pieces)) * np.square(piece) / some
    spread = np.sqrt(np.maximum(second - np.square(mean), 0.0))
    # Two points at mean - spread x skew and mean + spread / skew keep both moments; `skew` is
    # below 1 where the lower one would have no tokens.
    skew = np.minimum(1.0, 0.9 * mean / np.maximum(spread, 1e-9))
    low = np.minimum(mean - spread * skew, space)
    high = np.minimum(mean + spread / skew, space)
    weight = np.square(skew) / (1.0 + np.square(skew))  # of the upper one
    # What one step cannot carry is carried by the next, so more steps have a prompt.
    carried = (1.0 - weight) * low + weight * high
    some = np.minimum(1.0, pieces * piece / carried)
    plain = decode_seconds(n, load, batch)
    moments = [
        (1.0 - some, *_step(n, load, batch, np.zeros_like(plain), plain)),
        (some * (1.0 - weight), *_step(n, load, batch, low, None)),
        (some * weight, *_step(n, load, batch, high, None)),
    ]
    average = sum(share * seconds for share, seconds, _ in moments)
    return Mix(
        plain=plain,
        mean=average,
        square=sum(share * np.square(seconds) for share, seconds, _ in moments),
        prompt=(average - plain) / prompts,
        share=1.0 - plain / average,
        busy_with_prompt=1.0 - (1.0 - some) * plain / average,
        joules=sum(share * joules for share, _, joules in moments),
        room=(batch + prompts * load.input_tokens) / batch_tokens,
    )


def _step(
    n: StepNumbers, load: Load, batch: Array, tokens: Array, seconds: Array | None
) -> tuple[Array, Array]:
    """Seconds and joules of a step with `tokens` prompt tokens."""
    # A token attends to half of its prompt on average; those of long prompts are more.
    pairs = tokens * (load.input_tokens * (1.0 + load.input_cv2) + 1.0) / 2.0
    context = batch * load.context
    if seconds is None:
        seconds = kernels.step_seconds(n, batch, context, tokens, pairs)
    return seconds, kernels.step_joules(n, batch, context, tokens, pairs, seconds)
