"""A replica and its slow twin side by side: every answer compared, every invariant checked."""

from __future__ import annotations

from neocloud.replica import PLAIN, Kernels, Limits, Refusal, Replica
from neocloud.replica import state as s

from .slow import SlowReplica
from .workloads import Job, Prices


class Pair:
    def __init__(self, limits: Limits, kernels: Kernels = PLAIN) -> None:
        self.limits = limits
        self.fast = Replica(limits, Prices(), kernels)
        self.slow = SlowReplica(
            max_batch=limits.max_batch,
            batch_tokens=limits.batch_tokens,
            block_tokens=limits.block_tokens,
            kv_blocks=limits.kv_blocks,
            prefix_cache=limits.prefix_cache,
            max_queue=limits.max_queue,
        )
        self.jobs: dict[int, Job] = {}
        self.tokens: dict[int, int] = {}
        self.finished: list[int] = []
        self.aborted: set[int] = set()
        self.in_step = False
        self.steps = 0
        self.busy_s = 0.0
        self.joules = 0.0
        self.preemptions = 0

    def submit(self, job: Job) -> None:
        fast = self.fast.submit(job.request())
        slow = self.slow.submit(job.prompt, job.answer, job.ids())
        if isinstance(fast, Refusal):
            assert slow == fast.reason.value  # R6
            return
        assert fast == slow
        self.jobs[fast] = job
        self.tokens[fast] = 0
        self.check()

    def abort(self, handle: int) -> None:
        self.fast.abort(handle)
        self.slow.abort(handle)
        if handle in self.jobs and handle not in self.finished:
            self.aborted.add(handle)
        self.check()

    def tick(self) -> bool:
        """Begin a step, or end the one that runs; False if there was nothing to begin."""
        moved = self._end() if self.in_step else self._begin()
        self.check()
        return moved

    def _begin(self) -> bool:
        work, slow = self.fast.begin_step(), self.slow.begin_step()
        if work is None:
            assert slow is None
            assert not self.slow.queue  # R7: whatever waits on an idle replica can be admitted
            return False
        composition = (
            work.decodes,
            work.decode_context,
            work.prefill_tokens,
            work.prefill_pairs,
        )
        assert composition == slow
        assert (work.seconds, work.joules) == Prices().cost(*composition)  # R14
        assert 0 < work.decodes + work.prefill_tokens <= self.limits.batch_tokens  # R2
        assert work.decodes <= self.limits.max_batch  # R3
        self.in_step = True
        self.steps += 1
        self.busy_s += work.seconds
        self.joules += work.joules
        return True

    def _end(self) -> bool:
        result = self.fast.end_step()
        emitted, finished, preempted = self.slow.end_step()
        assert list(result.emitted) == emitted
        assert list(result.finished) == finished
        assert list(result.preempted) == preempted
        assert [h for h in emitted if self.tokens[h] == 0] == list(result.started)
        for handle, cached in zip(result.started, result.cached_tokens, strict=True):
            self._check_cached(handle, cached)
        for handle in emitted:
            self.tokens[handle] += 1
        for handle in finished:
            assert self.tokens[handle] == self.jobs[handle].answer  # R11
            assert handle not in self.finished  # R10
            assert handle not in self.aborted  # R12
        self.finished += finished
        self.preemptions += len(self.slow.thrown_back)
        self.in_step = False
        return True

    def _check_cached(self, handle: int, cached: int) -> None:
        assert cached % self.limits.block_tokens == 0
        assert cached < self.jobs[handle].prompt  # R8: the last token is always computed
        slow = [r for r in self.slow.running if r.handle == handle]
        assert all(r.cached == cached for r in slow)

    def check(self) -> None:
        """Gauges, counters and blocks of both, now."""
        held, idle, empty = len(self.slow.held()), len(self.slow.idle()), self.slow.empty()
        scalars = self.fast._state.scalars
        assert scalars[s.EMPTY_BLOCKS] == empty
        assert scalars[s.IDLE_BLOCKS] == idle
        assert held + idle + empty == self.limits.kv_blocks  # R1
        snap = self.fast.snapshot()
        assert snap.kv_usage == held / self.limits.kv_blocks
        assert snap.running == len(self.slow.running) <= self.limits.max_batch  # R3
        assert snap.waiting == len(self.slow.queue)
        ended = self.steps - self.in_step
        assert snap.steps == ended
        assert snap.generated_tokens == sum(self.tokens.values())  # R11
        started = [h for h, n in self.tokens.items() if n]
        assert snap.prompt_tokens == sum(self.jobs[h].prompt for h in started)
        if not self.in_step:
            assert (snap.busy_s, snap.joules) == (self.busy_s, self.joules)  # R14
            assert snap.preemptions == self.preemptions
        waiting = {r.handle: r for r in self.slow.queue}
        for handle in self.jobs:
            if handle in waiting and waiting[handle].cached is None:
                assert self.fast.cached_tokens(handle) is None
        # R4: whoever waits was submitted after whoever runs, but for the preempted at the head.
        fresh = [r.handle for r in self.slow.queue if r.cached is None]
        assert fresh == sorted(fresh)
        assert self.slow.queue[len(self.slow.queue) - len(fresh) :] == [
            r for r in self.slow.queue if r.cached is None
        ]
        assert all(h < min(fresh, default=h + 1) for h in (r.handle for r in self.slow.running))
        # R5: at most one prompt is half done, and it is the newest running.
        if not self.in_step:
            assert all(r.generating for r in self.slow.running[:-1])

    def drain(self) -> None:
        """Run until nothing is left; R7 and R10: that happens, and everyone has ended once."""
        work_left = sum(job.prompt + job.answer for job in self.jobs.values())
        for _ in range(20 * work_left + 20):
            if not self.tick():
                break
        else:
            raise AssertionError("the replica does not come to an end")
        assert sorted(self.finished) == sorted(set(self.jobs) - self.aborted)
        snap = self.fast.snapshot()
        assert (snap.running, snap.waiting, snap.kv_usage) == (0, 0, 0.0)  # R1, R12
