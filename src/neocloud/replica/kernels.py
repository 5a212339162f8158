"""Kernels of the scheduler: what a step holds, and what it leaves behind.

The order of vLLM's V1 scheduler: running requests in order of admission get their tokens first
(one each where they generate, a chunk of the prompt where they do not yet), then the queue is
admitted in order while sequences, token budget and KV blocks allow. A prompt left half done is
always the newest running one, because it used up the budget of its step and nothing is admitted
after it; so decodes come first (R5).

Plain functions on columns of integers that a compiler takes unchanged (see `compiled`).
"""

from __future__ import annotations

from neocloud.replica.cache import free_blocks, publish, release, reserve, take_block
from neocloud.replica.state import (
    BATCH_TOKENS,
    BLOCK_TOKENS,
    DECODE,
    DECODE_CONTEXT,
    DECODES,
    EMITTED,
    FINISHED,
    FREE,
    GENERATED_TOKENS,
    HEAD,
    IN_STEP,
    KV_BLOCKS,
    MAX_BATCH,
    MAX_QUEUE,
    PREEMPTED,
    PREEMPTIONS,
    PREFILL,
    PREFILL_PAIRS,
    PREFILL_TOKENS,
    PREFIX_CACHE,
    PREFIX_HITS,
    PREFIX_QUERIES,
    PROMPT_TOKENS,
    QUEUE_FULL,
    QUEUED,
    RUNNING,
    STARTED,
    STEPS,
    TAIL,
    TAKEN,
    TOO_LARGE,
    WAITING,
    State,
)


def enqueue(state: State, slot: int) -> None:
    """Put a request at the end of the queue."""
    scalars = state.scalars
    tail = scalars[TAIL]
    state.before[slot] = tail
    state.after[slot] = -1
    if tail < 0:
        scalars[HEAD] = slot
    else:
        state.after[tail] = slot
    scalars[TAIL] = slot
    scalars[WAITING] += 1
    state.phase[slot] = QUEUED


def enqueue_first(state: State, slot: int) -> None:
    """Put a request at the head of the queue."""
    scalars = state.scalars
    head = scalars[HEAD]
    state.before[slot] = -1
    state.after[slot] = head
    if head < 0:
        scalars[TAIL] = slot
    else:
        state.before[head] = slot
    scalars[HEAD] = slot
    scalars[WAITING] += 1
    state.phase[slot] = QUEUED


def dequeue(state: State, slot: int) -> None:
    """Take a request out of the queue, wherever it stands."""
    scalars = state.scalars
    before = state.before[slot]
    after = state.after[slot]
    if before < 0:
        scalars[HEAD] = after
    else:
        state.after[before] = after
    if after < 0:
        scalars[TAIL] = before
    else:
        state.before[after] = before
    scalars[WAITING] -= 1


def submit(state: State, slot: int, prompt: int, output: int, first_id: int, id_count: int) -> int:
    """Put a request into a free slot and the queue; TAKEN, or why not.

    Prompt and answer together must fit in the KV cache, since a preempted request is admitted
    again with all that it has generated: then none that is taken can wait for ever (R7).
    """
    scalars = state.scalars
    size = scalars[BLOCK_TOKENS]
    if (prompt + output + size - 1) // size > scalars[KV_BLOCKS]:
        return TOO_LARGE
    if scalars[MAX_QUEUE] > 0 and scalars[WAITING] >= scalars[MAX_QUEUE]:
        return QUEUE_FULL
    state.prompt[slot] = prompt
    state.output[slot] = output
    state.generated[slot] = 0
    state.computed[slot] = 0
    state.chunk[slot] = 0
    state.blocks[slot] = 0
    state.shared[slot] = 0
    state.tip[slot] = -1
    state.first_id[slot] = first_id
    state.id_count[slot] = id_count if scalars[PREFIX_CACHE] else 0
    state.cached[slot] = -1
    enqueue(state, slot)
    return TAKEN


def abort(state: State, slot: int) -> None:
    """Forget a request and free what it holds, between or within steps.

    A step that is under way keeps its composition and length. Blocks that it shared stay cached:
    the step computes them all the same.
    """
    if state.phase[slot] == QUEUED:
        dequeue(state, slot)
    else:
        scalars = state.scalars
        running = state.running
        last = scalars[RUNNING] - 1
        i = 0
        while running[i] != slot:
            i += 1
        while i < last:
            running[i] = running[i + 1]
            i += 1
        scalars[RUNNING] = last
        release(state, slot)
    state.phase[slot] = FREE


def preempt_newest(state: State) -> int:
    """Throw the newest running request back to the head of the queue; its slot."""
    scalars = state.scalars
    last = scalars[RUNNING] - 1
    slot = state.running[last]
    scalars[RUNNING] = last
    release(state, slot)
    enqueue_first(state, slot)
    state.preempted[scalars[PREEMPTED]] = slot
    scalars[PREEMPTED] += 1
    scalars[PREEMPTIONS] += 1
    return slot


def prefill(state: State, slot: int, budget: int) -> int:
    """Plan the next chunk of a request's prompt within `budget` tokens; the tokens it takes."""
    done = state.computed[slot]
    chunk = min(state.prompt[slot] + state.generated[slot] - done, budget)
    state.chunk[slot] = chunk
    state.scalars[PREFILL_TOKENS] += chunk
    state.scalars[PREFILL_PAIRS] += chunk * done + chunk * (chunk + 1) // 2
    if state.shared[slot] < state.id_count[slot]:
        publish(state, slot, done + chunk)
    return chunk


def continue_running(state: State, budget: int) -> int:
    """Plan tokens of the running requests, preempting for blocks; what is left of the budget."""
    scalars = state.scalars
    running = state.running
    phase = state.phase
    computed = state.computed
    blocks = state.blocks
    chunk = state.chunk
    shared = state.shared
    id_count = state.id_count
    size = scalars[BLOCK_TOKENS]
    decodes = 0
    context = 0
    i = 0
    while i < scalars[RUNNING]:
        slot = running[i]
        i += 1
        done = computed[slot]
        if phase[slot] != DECODE:
            budget -= prefill(state, slot, budget)
            continue
        if done >= blocks[slot] * size:
            preempted = -1
            while preempted != slot and free_blocks(state) == 0:
                preempted = preempt_newest(state)
            if preempted == slot:
                break  # it was the newest itself
            take_block(state)
            blocks[slot] += 1
        chunk[slot] = 1
        decodes += 1
        context += done + 1
        budget -= 1
        if shared[slot] < id_count[slot]:
            publish(state, slot, done + 1)
    scalars[DECODES] = decodes
    scalars[DECODE_CONTEXT] = context
    return budget


def admit(state: State, budget: int) -> None:
    """Admit from the head of the queue while sequences, budget and blocks allow."""
    scalars = state.scalars
    while scalars[WAITING] > 0 and scalars[RUNNING] < scalars[MAX_BATCH] and budget > 0:
        slot = scalars[HEAD]
        if not reserve(state, slot):
            return
        dequeue(state, slot)
        state.running[scalars[RUNNING]] = slot
        scalars[RUNNING] += 1
        state.phase[slot] = PREFILL
        if state.cached[slot] < 0:
            state.cached[slot] = state.computed[slot]
            if scalars[PREFIX_CACHE]:
                scalars[PREFIX_QUERIES] += state.prompt[slot]
                scalars[PREFIX_HITS] += state.computed[slot]
        budget -= prefill(state, slot, budget)


def begin_step(state: State) -> int:
    """Compose the next step: how many sequences it holds; 0 if there is nothing to do.

    Nothing is admitted in a step that preempted, as in vLLM: the head of the queue was just thrown
    out for want of a block and cannot fit. Composition: DECODES, DECODE_CONTEXT, PREFILL_TOKENS,
    PREFILL_PAIRS.
    """
    scalars = state.scalars
    assert scalars[IN_STEP] == 0
    scalars[PREEMPTED] = 0
    scalars[PREFILL_TOKENS] = 0
    scalars[PREFILL_PAIRS] = 0
    budget = continue_running(state, scalars[BATCH_TOKENS])
    if scalars[PREEMPTED] == 0:
        admit(state, budget)
    if scalars[RUNNING] > 0:
        scalars[IN_STEP] = 1
    return scalars[RUNNING]


def end_step(state: State) -> None:
    """Carry the step out: tokens come out, requests that have all of theirs leave.

    Fills `emitted`, `started` and `finished` with slots in order of admission.
    """
    scalars = state.scalars
    running = state.running
    phase = state.phase
    prompt = state.prompt
    generated = state.generated
    computed = state.computed
    chunk = state.chunk
    output = state.output
    emitted = state.emitted
    assert scalars[IN_STEP] == 1
    scalars[IN_STEP] = 0
    scalars[STEPS] += 1
    count = 0
    started = 0
    finished = 0
    kept = 0
    for i in range(scalars[RUNNING]):
        slot = running[i]
        done = computed[slot] + chunk[slot]
        computed[slot] = done
        tokens = generated[slot]
        if done == prompt[slot] + tokens:
            if tokens == 0:
                scalars[PROMPT_TOKENS] += prompt[slot]
                state.started[started] = slot
                started += 1
            tokens += 1
            generated[slot] = tokens
            phase[slot] = DECODE
            emitted[count] = slot
            count += 1
            if tokens == output[slot]:
                release(state, slot)
                phase[slot] = FREE
                state.finished[finished] = slot
                finished += 1
                continue
        running[kept] = slot
        kept += 1
    scalars[RUNNING] = kept
    scalars[EMITTED] = count
    scalars[STARTED] = started
    scalars[FINISHED] = finished
    scalars[GENERATED_TOKENS] += count
