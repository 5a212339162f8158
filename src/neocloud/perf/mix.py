"""The mix of steps in a steady state: without a prompt, with one, with several.

In every step each of a rank's B generating sequences gains a tokens, and a request gives O of them.
So B a / O requests end in a step on average and as many prompts come in, whatever a step takes.
They come independently: their number in a step is Poisson, and their tokens have its compound mean
and variance. The mean over that distribution is taken at three points (no prompt, and two that have
the mean and variance of the rest). A step's time bends with its tokens, so this is more than the
time of a step with the mean number of tokens: several prompts that share a step cost more together
than one by one.

Ranks of one replica step together, so each also waits for the others' prompts: a step is as long
as one with a prompt as if d^x times as many came, for d ranks, as in `closed_loop`; but no more
often than always.
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
    """Steps of a rank on which `batch` sequences generate, seconds and joules.

    Attributes:
        plain: time of a step without a prompt.
        mean: mean time of a step.
        square: mean of its square.
        prompt: time that one prompt adds to steps, mean.
        share: of the time, what prompts add to steps.
        busy_with_prompt: of the time, what steps with a prompt take.
        joules: mean energy of a step, all ranks of a stage.
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
    return kernels.decode_seconds(n, batch, batch * load.context)


def prompt_space(n: StepNumbers, batch: Array, batch_tokens: Array) -> Array:
    """Prompt tokens that a step can carry beside `batch` sequences."""
    return np.maximum(batch_tokens - batch * n.tokens_per_sequence, 1.0)


def chunks_of(n: StepNumbers, prompt: float, batch: Array, batch_tokens: Array) -> Array:
    """Equal pieces that a prompt is cut into so that each fits a step beside `batch` others."""
    return np.ceil(prompt / prompt_space(n, batch, batch_tokens))


def coupling(n: StepNumbers) -> Array:
    """How much of a prompt's time a rank waits, its own and the other ranks' together, over it."""
    return (n.ranks * n.stages) ** n.waiting


def mix_of_steps(n: StepNumbers, load: Load, batch: Array, batch_tokens: Array) -> Mix:
    """See the module's text.

    Args:
        n: numbers of one configuration, or of n as columns (n, 1).
        load: lengths of the requests.
        batch: mean decode batch of a rank, above 0; broadcasts against the columns.
        batch_tokens: tokens that one step may carry.
    """
    space = prompt_space(n, batch, batch_tokens)
    chunks = chunks_of(n, load.input_tokens, batch, batch_tokens)
    piece = load.input_tokens / chunks
    prompts = batch * n.accepted / load.output_tokens
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
    waited = -np.expm1(coupling(n) * np.log1p(-np.minimum(some, 1.0 - 1e-12)))
    own = some / waited
    moments = [
        (1.0 - waited, plain, _joules(n, load, batch, np.zeros_like(plain), plain)),
        (waited * (1.0 - weight), *_step(n, load, batch, low, own)),
        (waited * weight, *_step(n, load, batch, high, own)),
    ]
    average = sum(share * seconds for share, seconds, _ in moments)
    return Mix(
        plain=plain,
        mean=average,
        square=sum(share * np.square(seconds) for share, seconds, _ in moments),
        prompt=(average - plain) / prompts,
        share=1.0 - plain / average,
        busy_with_prompt=1.0 - (1.0 - waited) * plain / average,
        joules=sum(share * joules for share, _, joules in moments),
        room=(batch * n.tokens_per_sequence + prompts * load.input_tokens) / batch_tokens,
    )


def _step(
    n: StepNumbers, load: Load, batch: Array, tokens: Array, own: Array
) -> tuple[Array, Array]:
    """Seconds and joules of a step with `tokens` prompt tokens, this rank's in `own` of them."""
    seconds = kernels.step_seconds(n, batch, batch * load.context, tokens, _pairs(load, tokens))
    seconds = seconds + tokens / load.input_tokens * n.host_prompt_s
    working = _joules(n, load, batch, tokens, seconds)
    waiting = _joules(n, load, batch, np.zeros_like(seconds), seconds)
    return seconds, own * working + (1.0 - own) * waiting


def _joules(n: StepNumbers, load: Load, batch: Array, tokens: Array, seconds: Array) -> Array:
    return kernels.step_joules(
        n, batch, batch * load.context, tokens, _pairs(load, tokens), seconds
    )


def _pairs(load: Load, tokens: Array) -> Array:
    # A token attends to half of its prompt on average; those of long prompts are more.
    return tokens * (load.input_tokens * (1.0 + load.input_cv2) + 1.0) / 2.0
