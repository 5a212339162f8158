"""What a replica remembers, as columns of integers: one layout for plain and compiled kernels.

A column is a list of int or an int64 array; the kernels index both alike. Lists are three times
faster in plain Python, arrays are what a compiler takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Column(Protocol):
    """A mutable sequence of 64-bit integers of fixed length."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...
    def __len__(self) -> int: ...


# Places in `State.scalars`: first the limits, then gauges, then the step, then counters.
MAX_BATCH = 0
BATCH_TOKENS = 1
BLOCK_TOKENS = 2
KV_BLOCKS = 3
PREFIX_CACHE = 4
MAX_QUEUE = 5
RUNNING = 6
WAITING = 7
HEAD = 8  # slot at the head of the queue, -1 if none
TAIL = 9
EMPTY_BLOCKS = 10  # blocks that hold nothing
IDLE_BLOCKS = 11  # cached blocks that no request holds
FREE_ENTRY = 12  # first of the unused cache entries, -1 if none
IN_STEP = 13
DECODES = 14
DECODE_CONTEXT = 15
PREFILL_TOKENS = 16
PREFILL_PAIRS = 17
EMITTED = 18
STARTED = 19
FINISHED = 20
PREEMPTED = 21
PREEMPTIONS = 22
PREFIX_QUERIES = 23
PREFIX_HITS = 24
PROMPT_TOKENS = 25
GENERATED_TOKENS = 26
STEPS = 27
SCALARS = 28

# Phases of a slot.
FREE = 0
QUEUED = 1
PREFILL = 2
DECODE = 3

# What submit says.
TAKEN = 0
TOO_LARGE = 1
QUEUE_FULL = 2


class State(NamedTuple):
    """Columns of one replica. Requests live in slots, cached blocks in entries."""

    scalars: Column

    # One row a slot.
    phase: Column
    prompt: Column  # tokens of the prompt
    output: Column  # tokens that will be generated
    generated: Column
    computed: Column  # tokens whose KV is computed
    chunk: Column  # tokens that the current step computes
    blocks: Column  # blocks held, shared ones included
    shared: Column  # leading blocks that are cache entries
    tip: Column  # entry of the last shared block, -1 if none
    first_id: Column  # where its prefix ids begin in `ids`
    id_count: Column
    cached: Column  # prompt tokens found at its first admission, -1 before
    before: Column  # neighbours in the queue, -1 at the ends
    after: Column

    # Lists of slots; their lengths are RUNNING, EMITTED, STARTED, FINISHED, PREEMPTED.
    running: Column  # in order of admission
    emitted: Column
    started: Column
    finished: Column
    preempted: Column

    # The prefix cache: an entry is a cached block, found by its id through an open-addressed table.
    ids: Column  # prefix ids of all live requests
    table: Column  # entry or -1; a power of two long
    entry_id: Column
    entry_parent: Column  # entry of the block before it, -1 for the first
    entry_refs: Column  # running requests that hold it
    entry_older: Column  # least-recently-used ring of entries without holder; row KV_BLOCKS is
    entry_newer: Column  # its seam. `newer` also chains the unused entries


SLOT_COLUMNS = State._fields[1:15]
"""Names of the columns with one row a slot."""

MakeColumn = Callable[[int, int], Column]
"""Makes a column of a length, filled with a value."""


def new_state(
    *,
    max_batch: int,
    batch_tokens: int,
    block_tokens: int,
    kv_blocks: int,
    prefix_cache: bool,
    max_queue: int,
    slots: int,
    ids: int,
    column: MakeColumn,
) -> State:
    """An empty replica with room for `slots` requests and `ids` prefix ids."""
    scalars = column(SCALARS, 0)
    for place, value in (
        (MAX_BATCH, max_batch),
        (BATCH_TOKENS, batch_tokens),
        (BLOCK_TOKENS, block_tokens),
        (KV_BLOCKS, kv_blocks),
        (PREFIX_CACHE, int(prefix_cache)),
        (MAX_QUEUE, max_queue),
        (HEAD, -1),
        (TAIL, -1),
        (EMPTY_BLOCKS, kv_blocks),
    ):
        scalars[place] = value
    entries = kv_blocks if prefix_cache else 0
    table_size = 8
    while table_size < 2 * entries:
        table_size *= 2
    older, newer = column(entries + 1, -1), column(entries + 1, -1)
    for entry in range(entries):
        newer[entry] = entry + 1 if entry + 1 < entries else -1
    older[entries] = newer[entries] = entries
    scalars[FREE_ENTRY] = 0 if entries else -1
    return State(
        scalars=scalars,
        **{name: column(slots, 0) for name in SLOT_COLUMNS},
        running=column(max_batch, 0),
        emitted=column(max_batch, 0),
        started=column(max_batch, 0),
        finished=column(max_batch, 0),
        preempted=column(max_batch, 0),
        ids=column(ids, 0),
        table=column(table_size, -1),
        entry_id=column(entries + 1, 0),
        entry_parent=column(entries + 1, -1),
        entry_refs=column(entries + 1, 0),
        entry_older=older,
        entry_newer=newer,
    )


def _grown(column: Column, length: int, make: MakeColumn) -> Column:
    longer = make(length, 0)
    for i in range(len(column)):
        longer[i] = column[i]
    return longer


def with_slots(state: State, slots: int, make: MakeColumn) -> State:
    """The same replica with room for `slots` requests; old columns must not be used any more."""
    return state._replace(
        **{name: _grown(getattr(state, name), slots, make) for name in SLOT_COLUMNS}
    )
