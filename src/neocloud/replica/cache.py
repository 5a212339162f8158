"""Kernels of the KV cache: blocks, and the tree of cached blocks that prompts share.

Cached blocks form a tree: an entry's parent is the block before it. Whoever holds an entry holds
its parents, and blocks are let go leaf first, so the least recently used entry without a holder is
always a leaf: evicting it never orphans another (R9). A block whose content is cached already is
not kept twice: the second request takes the entry and gives its own block back (R8).

Plain functions on columns of integers that a compiler takes unchanged (see `compiled`).
"""

from __future__ import annotations

from neocloud.replica.state import (
    BLOCK_TOKENS,
    EMPTY_BLOCKS,
    FREE_ENTRY,
    IDLE_BLOCKS,
    KV_BLOCKS,
    State,
)


def find(state: State, block_id: int, parent: int) -> int:
    """Entry of `block_id` that follows `parent`, or -1.

    Ids are chained, so an id under another parent is a collision of hashes, and counts as a miss.
    """
    table = state.table
    mask = len(table) - 1
    place = block_id & mask
    entry = table[place]
    while entry >= 0:
        if state.entry_id[entry] == block_id:
            if state.entry_parent[entry] == parent:
                return entry
            return -1
        place = (place + 1) & mask
        entry = table[place]
    return -1


def insert(state: State, block_id: int, parent: int) -> int:
    """Make an entry with one holder; -1 if the id is taken by another block (a collision)."""
    table = state.table
    mask = len(table) - 1
    place = block_id & mask
    while table[place] >= 0:
        if state.entry_id[table[place]] == block_id:
            return -1
        place = (place + 1) & mask
    scalars = state.scalars
    entry = scalars[FREE_ENTRY]
    assert entry >= 0  # as many entries as blocks, and each entry sits on a block
    scalars[FREE_ENTRY] = state.entry_newer[entry]
    table[place] = entry
    state.entry_id[entry] = block_id
    state.entry_parent[entry] = parent
    state.entry_refs[entry] = 1
    return entry


def remove(state: State, entry: int) -> None:
    """Take an entry out of the table and make it unused.

    Entries behind it move up where their search would else end at the hole (Knuth, The Art of
    Computer Programming, vol. 3, section 6.4, algorithm R).
    """
    table = state.table
    entry_id = state.entry_id
    mask = len(table) - 1
    hole = entry_id[entry] & mask
    while table[hole] != entry:
        hole = (hole + 1) & mask
    place = hole
    while True:
        place = (place + 1) & mask
        other = table[place]
        if other < 0:
            break
        if ((place - entry_id[other]) & mask) >= ((place - hole) & mask):
            table[hole] = other
            hole = place
    table[hole] = -1
    state.entry_newer[entry] = state.scalars[FREE_ENTRY]
    state.scalars[FREE_ENTRY] = entry


def leave_ring(state: State, entry: int) -> None:
    """An entry without holder gets one: take it out of the ring of idle ones."""
    older = state.entry_older[entry]
    newer = state.entry_newer[entry]
    state.entry_newer[older] = newer
    state.entry_older[newer] = older
    state.scalars[IDLE_BLOCKS] -= 1


def enter_ring(state: State, entry: int) -> None:
    """An entry lost its last holder: it is now the most recently used idle one."""
    seam = len(state.entry_id) - 1
    newest = state.entry_older[seam]
    state.entry_newer[newest] = entry
    state.entry_older[entry] = newest
    state.entry_newer[entry] = seam
    state.entry_older[seam] = entry
    state.scalars[IDLE_BLOCKS] += 1


def take_block(state: State) -> None:
    """Take a free block: an empty one, or that of the least recently used idle entry."""
    scalars = state.scalars
    if scalars[EMPTY_BLOCKS] > 0:
        scalars[EMPTY_BLOCKS] -= 1
        return
    assert scalars[IDLE_BLOCKS] > 0  # the caller made sure
    oldest = state.entry_newer[len(state.entry_id) - 1]
    leave_ring(state, oldest)
    remove(state, oldest)


def reserve(state: State, slot: int) -> bool:
    """Give a queued request the blocks of all its tokens and one more, cached ones shared.

    False, and nothing changed, if they are not free. The last token is always computed, so a hit
    ends at the block before it at the latest; the first block missed ends it, too.
    """
    scalars = state.scalars
    size = scalars[BLOCK_TOKENS]
    known = state.prompt[slot] + state.generated[slot]
    first = state.first_id[slot]
    tip = -1
    hits = 0
    pinned = 0
    for i in range(min(state.id_count[slot], (known - 1) // size)):
        entry = find(state, state.ids[first + i], tip)
        if entry < 0:
            break
        tip = entry
        hits += 1
        if state.entry_refs[entry] == 0:
            pinned += 1
    needed = known // size + 1 - hits  # blocks of known + 1 tokens, without the shared ones
    if needed > scalars[EMPTY_BLOCKS] + scalars[IDLE_BLOCKS] - pinned:
        return False
    entry = tip
    while entry >= 0:
        if state.entry_refs[entry] == 0:
            leave_ring(state, entry)
        state.entry_refs[entry] += 1
        entry = state.entry_parent[entry]
    for _ in range(needed):
        take_block(state)
    state.tip[slot] = tip
    state.shared[slot] = hits
    state.blocks[slot] = needed + hits
    state.computed[slot] = hits * size
    return True


def publish(state: State, slot: int, computed: int) -> None:
    """Make the request's full blocks among its first `computed` tokens shareable."""
    scalars = state.scalars
    first = state.first_id[slot]
    full = min(state.id_count[slot], computed // scalars[BLOCK_TOKENS])
    for i in range(state.shared[slot], full):
        block_id = state.ids[first + i]
        parent = state.tip[slot]
        entry = find(state, block_id, parent)
        if entry >= 0:
            if state.entry_refs[entry] == 0:
                leave_ring(state, entry)
            state.entry_refs[entry] += 1
            scalars[EMPTY_BLOCKS] += 1
        else:
            entry = insert(state, block_id, parent)
            if entry < 0:
                state.id_count[slot] = i  # a collision: the rest of this request stays its own
                return
        state.tip[slot] = entry
        state.shared[slot] = i + 1


def release(state: State, slot: int) -> None:
    """Give all blocks of a request back; cached ones stay until they are evicted."""
    entry = state.tip[slot]
    while entry >= 0:
        state.entry_refs[entry] -= 1
        if state.entry_refs[entry] == 0:
            enter_ring(state, entry)
        entry = state.entry_parent[entry]
    state.scalars[EMPTY_BLOCKS] += state.blocks[slot] - state.shared[slot]
    state.blocks[slot] = 0
    state.shared[slot] = 0
    state.tip[slot] = -1
    state.computed[slot] = 0


def free_blocks(state: State) -> int:
    """Blocks that no running request holds: empty ones and idle cached ones."""
    return state.scalars[EMPTY_BLOCKS] + state.scalars[IDLE_BLOCKS]


def held_blocks(state: State) -> int:
    """Blocks that running requests hold."""
    return state.scalars[KV_BLOCKS] - free_blocks(state)
