"""The door: one replica with requests by handle, driven step by step by whoever has a clock."""

from __future__ import annotations

import numpy as np

from neocloud.replica import state as s
from neocloud.replica.compiled import PLAIN, Kernels
from neocloud.replica.records import (
    Limits,
    Refusal,
    RefusalReason,
    Request,
    Snapshot,
    StepCost,
    StepResult,
    StepWork,
)

_FIRST_SLOTS = 64
_FIRST_IDS = 4096


class Replica:
    """One engine replica as a state machine: it knows no clock and draws no chance.

    Its owner calls `begin_step`, lets the seconds that it says pass, and calls `end_step`.
    Requests come and go at any time between. A step is decided when it begins: what is submitted
    during it waits for the next.
    """

    def __init__(self, limits: Limits, steps: StepCost, kernels: Kernels = PLAIN) -> None:
        self.limits = limits
        self._steps = steps
        self._kernels = kernels
        self._state = s.new_state(
            max_batch=limits.max_batch,
            batch_tokens=limits.batch_tokens,
            block_tokens=limits.block_tokens,
            kv_blocks=limits.kv_blocks,
            prefix_cache=limits.prefix_cache,
            max_queue=limits.max_queue,
            slots=_FIRST_SLOTS,
            ids=_FIRST_IDS,
            column=kernels.column,
        )
        self._free_slots = list(range(_FIRST_SLOTS - 1, -1, -1))
        self._handle_of = [-1] * _FIRST_SLOTS
        self._slot_of: dict[int, int] = {}
        self._next_handle = 0
        self._ids_end = 0
        self._work: StepWork | None = None
        self._preempted: tuple[int, ...] = ()
        self._busy_s = 0.0
        self._joules = 0.0

    def submit(self, request: Request) -> int | Refusal:
        """Queue a request; its handle, or why it is not taken."""
        ids = request.prefix_ids if self.limits.prefix_cache else request.prefix_ids[:0]
        if not self._free_slots:
            self._more_slots()
        slot = self._free_slots[-1]
        first, count = self._store_ids(ids)
        answer = int(
            self._kernels.submit(
                self._state, slot, request.input_tokens, request.output_tokens, first, count
            )
        )
        if answer != s.TAKEN:
            self._ids_end = first
            return self._refusal(answer, request)
        self._free_slots.pop()
        handle = self._next_handle
        self._next_handle += 1
        self._handle_of[slot] = handle
        self._slot_of[handle] = slot
        return handle

    def abort(self, handle: int) -> None:
        """Forget a request and free its blocks at once; one that has ended is left alone."""
        slot = self._slot_of.get(handle)
        if slot is not None:
            self._kernels.abort(self._state, slot)
            self._forget(handle, slot)

    def begin_step(self) -> StepWork | None:
        """Decide what the next step holds and how long it takes; None if there is nothing to do."""
        assert self._work is None, "the last step has not ended"
        state = self._state
        if not self._kernels.begin_step(state):
            return None
        scalars = state.scalars
        composition = (
            int(scalars[s.DECODES]),
            int(scalars[s.DECODE_CONTEXT]),
            int(scalars[s.PREFILL_TOKENS]),
            int(scalars[s.PREFILL_PAIRS]),
        )
        seconds, joules = self._steps.cost(*composition)
        preempted = scalars[s.PREEMPTED]
        self._preempted = (
            tuple(self._handle_of[state.preempted[i]] for i in range(preempted))
            if preempted
            else ()
        )
        self._work = StepWork(
            decodes=composition[0],
            decode_context=composition[1],
            prefill_tokens=composition[2],
            prefill_pairs=composition[3],
            seconds=seconds,
            joules=joules,
        )
        return self._work

    def end_step(self) -> StepResult:
        """Carry out the step that began: who got a token, who is done, who was thrown back."""
        work = self._work
        assert work is not None, "no step has begun"
        self._work = None
        self._busy_s += work.seconds
        self._joules += work.joules
        state = self._state
        self._kernels.end_step(state)
        scalars, handle_of, emitted = state.scalars, self._handle_of, state.emitted
        started = [state.started[i] for i in range(scalars[s.STARTED])]
        finished = [state.finished[i] for i in range(scalars[s.FINISHED])]
        result = StepResult(
            emitted=tuple([handle_of[emitted[i]] for i in range(scalars[s.EMITTED])]),
            started=tuple([handle_of[slot] for slot in started]),
            cached_tokens=tuple([int(state.cached[slot]) for slot in started]),
            finished=tuple([handle_of[slot] for slot in finished]),
            preempted=tuple([h for h in self._preempted if h in self._slot_of]),
        )
        for slot in finished:
            self._forget(handle_of[slot], slot)
        return result

    def cached_tokens(self, handle: int) -> int | None:
        """Prompt tokens that the prefix cache gave at the request's first admission.

        None while it waits for that.

        Raises:
            KeyError: the request has ended, or never was.
        """
        cached = int(self._state.cached[self._slot_of[handle]])
        return None if cached < 0 else cached

    def snapshot(self) -> Snapshot:
        """Gauges now, and counters since the start; a step counts when it has ended."""
        scalars = self._state.scalars
        held = int(self._kernels.held_blocks(self._state))
        return Snapshot(
            running=int(scalars[s.RUNNING]),
            waiting=int(scalars[s.WAITING]),
            kv_usage=held / self.limits.kv_blocks,
            preemptions=int(scalars[s.PREEMPTIONS]),
            prefix_queries=int(scalars[s.PREFIX_QUERIES]),
            prefix_hits=int(scalars[s.PREFIX_HITS]),
            prompt_tokens=int(scalars[s.PROMPT_TOKENS]),
            generated_tokens=int(scalars[s.GENERATED_TOKENS]),
            steps=int(scalars[s.STEPS]),
            busy_s=self._busy_s,
            joules=self._joules,
        )

    def _refusal(self, answer: int, request: Request) -> Refusal:
        limits = self.limits
        if answer == s.TOO_LARGE:
            return Refusal(
                reason=RefusalReason.TOO_LARGE,
                message=(
                    f"{request.input_tokens} input and {request.output_tokens} output tokens do "
                    f"not fit in a KV cache of {limits.kv_blocks} blocks of {limits.block_tokens}"
                ),
            )
        return Refusal(
            reason=RefusalReason.QUEUE_FULL,
            message=f"{limits.max_queue} requests wait already, the most that may",
        )

    def _forget(self, handle: int, slot: int) -> None:
        del self._slot_of[handle]
        self._handle_of[slot] = -1
        self._free_slots.append(slot)

    def _more_slots(self) -> None:
        have = len(self._handle_of)
        self._state = s.with_slots(self._state, 2 * have, self._kernels.column)
        self._handle_of += [-1] * have
        self._free_slots = list(range(2 * have - 1, have - 1, -1))

    def _store_ids(
        self, prefix_ids: np.ndarray[tuple[int], np.dtype[np.uint64]]
    ) -> tuple[int, int]:
        """Append ids to the common column; where they begin and how many they are.

        The kernels compare 64-bit ids as signed integers, so the bits are read that way.
        """
        count = len(prefix_ids)
        if self._ids_end + count > len(self._state.ids):
            self._compact_ids(count)
        ids, first = self._state.ids, self._ids_end
        for i, value in enumerate(
            np.ascontiguousarray(prefix_ids, np.uint64).view(np.int64).tolist()
        ):
            ids[first + i] = value
        self._ids_end = first + count
        return first, count

    def _compact_ids(self, wanted: int) -> None:
        """Drop the ids of requests that are gone, into a column at most half full."""
        state = self._state
        live = sorted((state.first_id[slot], slot) for slot in self._slot_of.values())
        room = 2 * (wanted + sum(state.id_count[slot] for _, slot in live))
        ids = self._kernels.column(max(room, len(state.ids)), 0)
        end = 0
        for first, slot in live:
            count = state.id_count[slot]
            for i in range(count):
                ids[end + i] = state.ids[first + i]
            state.first_id[slot] = end
            end += count
        self._state = state._replace(ids=ids)
        self._ids_end = end
