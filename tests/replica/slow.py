"""The scheduler said slowly: objects, lists and searches, nothing kept that can be counted.

Written from the rules (docs/invariants.md), not from the kernels; tests hold the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Block:
    """One KV block: `content` names its tokens and all before them, None if never shared."""

    def __init__(self) -> None:
        self.content: tuple[int, ...] | None = None
        self.let_go = 0


@dataclass(eq=False)
class SlowRequest:
    handle: int
    prompt: int
    answer: int
    ids: tuple[int, ...]
    generated: int = 0
    computed: int = 0
    generating: bool = False
    cached: int | None = None
    blocks: list[Block] = field(default_factory=list)

    @property
    def known(self) -> int:
        return self.prompt + self.generated


class SlowReplica:
    def __init__(
        self, *, max_batch, batch_tokens, block_tokens, kv_blocks, prefix_cache, max_queue
    ):
        self.max_batch = max_batch
        self.batch_tokens = batch_tokens
        self.block_tokens = block_tokens
        self.kv_blocks = kv_blocks
        self.prefix_cache = prefix_cache
        self.max_queue = max_queue
        self.queue: list[SlowRequest] = []
        self.running: list[SlowRequest] = []
        self.cache: list[Block] = []
        self.handles = 0
        self.letting_go = 0
        self.step: list[tuple[SlowRequest, int]] = []
        self.thrown_back: list[SlowRequest] = []
        self.dead: set[int] = set()

    # Blocks.

    def held(self) -> list[Block]:
        return list({id(b): b for r in self.running for b in r.blocks}.values())

    def idle(self) -> list[Block]:
        held = self.held()
        return [b for b in self.cache if b not in held]

    def empty(self) -> int:
        return self.kv_blocks - len(self.held()) - len(self.idle())

    def new_block(self) -> Block:
        if self.empty() == 0:
            self.cache.remove(min(self.idle(), key=lambda b: b.let_go))
        return Block()

    def cached_block(self, content: tuple[int, ...]) -> Block | None:
        return next((b for b in self.cache if b.content == content), None)

    def let_go(self, request: SlowRequest) -> None:
        for block in reversed(request.blocks):
            self.letting_go += 1
            if not any(block in r.blocks for r in self.running if r is not request):
                block.let_go = self.letting_go
        request.blocks = []
        request.computed = 0

    def share(self, request: SlowRequest, computed: int) -> None:
        """The blocks that are full after this step can serve others from now on."""
        if not self.prefix_cache:
            return
        for i in range(min(len(request.ids), computed // self.block_tokens)):
            content = request.ids[: i + 1]
            twin = self.cached_block(content)
            if twin is None:
                request.blocks[i].content = content
                self.cache.append(request.blocks[i])
            else:
                request.blocks[i] = twin

    # Requests.

    def submit(self, prompt: int, answer: int, ids: tuple[int, ...]) -> int | str:
        if -(-(prompt + answer) // self.block_tokens) > self.kv_blocks:
            return "too_large"
        if self.max_queue and len(self.queue) >= self.max_queue:
            return "queue_full"
        self.queue.append(SlowRequest(self.handles, prompt, answer, ids))
        self.handles += 1
        return self.handles - 1

    def abort(self, handle: int) -> None:
        for request in self.queue + self.running:
            if request.handle == handle:
                if request in self.running:
                    self.let_go(request)
                    self.running.remove(request)
                else:
                    self.queue.remove(request)
                self.dead.add(handle)

    def find(self, handle: int) -> SlowRequest:
        return next(r for r in self.queue + self.running if r.handle == handle)

    # Steps.

    def begin_step(self) -> tuple[int, int, int, int] | None:
        budget = self.batch_tokens
        self.step, self.thrown_back = [], []
        decodes = context = 0
        for request in [r for r in self.running if r.generating]:
            if request not in self.running:
                continue  # thrown back for an older one's sake
            if len(request.blocks) * self.block_tokens < request.computed + 1:
                while self.empty() == 0 and not self.idle():
                    newest = self.running[-1]
                    self.let_go(newest)
                    self.running.remove(newest)
                    newest.generating = False
                    self.queue.insert(0, newest)
                    self.thrown_back.append(newest)
                    if newest is request:
                        break
                if request not in self.running:
                    continue
                request.blocks.append(self.new_block())
            self.step.append((request, 1))
            self.share(request, request.computed + 1)
            decodes += 1
            context += request.known
            budget -= 1
        prefill_tokens = prefill_pairs = 0
        for request in [r for r in self.running if not r.generating]:
            budget, pairs = self.prefill(request, budget)
            prefill_tokens += self.step[-1][1]
            prefill_pairs += pairs
        while (
            self.queue
            and not self.thrown_back
            and len(self.running) < self.max_batch
            and budget > 0
            and self.admit(self.queue[0])
        ):
            budget, pairs = self.prefill(self.running[-1], budget)
            prefill_tokens += self.step[-1][1]
            prefill_pairs += pairs
        if not self.step:
            return None
        return decodes, context, prefill_tokens, prefill_pairs

    def prefill(self, request: SlowRequest, budget: int) -> tuple[int, int]:
        tokens = min(budget, request.known - request.computed)
        assert tokens > 0
        self.step.append((request, tokens))
        end = request.computed + tokens
        self.share(request, end)
        return budget - tokens, sum(range(request.computed + 1, end + 1))

    def admit(self, request: SlowRequest) -> bool:
        found: list[Block] = []
        if self.prefix_cache:
            for i in range(len(request.ids)):
                block = self.cached_block(request.ids[: i + 1])
                if block is None or (i + 1) * self.block_tokens >= request.known:
                    break
                found.append(block)
        total = -(-(request.known + 1) // self.block_tokens)
        idle_after = [b for b in self.idle() if b not in found]
        if total - len(found) > self.empty() + len(idle_after):
            return False
        self.queue.remove(request)
        request.blocks = list(found)
        self.running.append(request)  # holds what it found before anything is evicted
        while len(request.blocks) < total:
            request.blocks.append(self.new_block())
        request.computed = len(found) * self.block_tokens
        if request.cached is None:
            request.cached = request.computed
        return True

    def end_step(self) -> tuple[list[int], list[int], list[int]]:
        emitted, finished = [], []
        for request, tokens in self.step:
            if request.handle in self.dead:
                continue
            request.computed += tokens
            if request.computed < request.known:
                continue
            request.generated += 1
            request.generating = True
            emitted.append(request)
            if request.generated == request.answer:
                finished.append(request)
        for request in finished:
            self.let_go(request)
            self.running.remove(request)
        return (
            [r.handle for r in emitted],
            [r.handle for r in finished],
            [r.handle for r in self.thrown_back if r.handle not in self.dead],
        )
