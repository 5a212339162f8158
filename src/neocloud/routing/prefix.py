"""What prompts have in common: hashes of their leading blocks."""

from __future__ import annotations

from zlib import crc32


def prefix_hashes(
    prompt: bytes, salt: bytes, block_bytes: int = 512, max_blocks: int = 8
) -> tuple[int, ...]:
    """Hash of the first block, of the first two, and so on: 32-bit numbers.

    Only whole blocks count, and nothing beyond `max_blocks` of them is read, so a prompt of a
    megabyte takes no longer than one of `block_bytes * max_blocks`. CRC-32 is no secret keeper and
    need not be one: what two prompts with one hash share is their preferred replica.

    Args:
        prompt: what the engine will see first, as it stands in the request.
        salt: the tenant's; one more thing that alike prompts must have in common.
        block_bytes: size of a block.
        max_blocks: blocks looked at at the most.
    """
    value = crc32(salt)
    end = min(len(prompt) // block_bytes, max_blocks) * block_bytes
    hashes = []
    for start in range(0, end, block_bytes):
        value = crc32(prompt[start : start + block_bytes], value)
        hashes.append(value)
    return tuple(hashes)


def home_hash(prefix: tuple[int, ...]) -> int:
    """The one hash that decides where a prompt is at home: of its first 1, 2, 4, 8... blocks.

    The deepest power of two, so that a conversation changes its home at most a few times while it
    grows, and prompts that share no more than their first words do not share a home.
    """
    return prefix[(1 << (len(prefix).bit_length() - 1)) - 1]
