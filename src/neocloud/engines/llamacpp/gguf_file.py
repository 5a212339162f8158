"""The head of a GGUF file: what its weights say of themselves.

The format, versions 2 and 3, as `docs/gguf.md` of ggml describes it: little-endian, the letters
GGUF, version u32, tensors u64, pairs u64, then each pair as key, type u32 and value.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import msgspec

from neocloud.engines.errors import ModelFileError

_NUMBERS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q",
            11: "<q", 12: "<d"}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MOST_PAIRS = 4096
_LONGEST_KEPT = 64 * 1024
"""Bytes of a text that is read; longer ones, chat templates at the most, are passed over."""

# `llama_ftype` of llama.cpp's llama.h, the kinds that files are published in.
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M",
    30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip


class GgufHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the head says.

    Attributes:
        architecture: such as `llama`, `qwen3`.
        name: that its maker gave it; empty without.
        precision: of most weights, such as `Q4_K_M`; empty where it is not told.
        context: tokens that it was trained for; 0 where it is not told.
        pooling: True if it says how tokens become one embedding: it is a model of embeddings.
    """

    architecture: str
    name: str
    precision: str
    context: int
    pooling: bool


def read_head(path: Path) -> GgufHead:
    """Read the head of a GGUF file.

    Raises:
        ModelFileError: there is none, or it is no GGUF file.
    """
    try:
        with path.open("rb") as file:
            pairs = _pairs(file)
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}") from None
    except (struct.error, EOFError, UnicodeDecodeError, ValueError) as error:
        raise ModelFileError(f"{path} is no GGUF file that can be read: {error}") from None
    architecture = _text(pairs, "general.architecture")
    return GgufHead(
        architecture=architecture,
        name=_text(pairs, "general.name"),
        precision=_FILE_TYPES.get(_number(pairs, "general.file_type", -1), ""),
        context=_number(pairs, f"{architecture}.context_length", 0),
        pooling=f"{architecture}.pooling_type" in pairs,
    )


_Value = str | int | float | bool


def _text(pairs: dict[str, _Value], key: str) -> str:
    value = pairs.get(key, "")
    return value if isinstance(value, str) else ""


def _number(pairs: dict[str, _Value], key: str, otherwise: int) -> int:
    value = pairs.get(key, otherwise)
    return value if isinstance(value, int) else otherwise


def _pairs(file: BinaryIO) -> dict[str, _Value]:
    if _take(file, 4) != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    version, _, count = struct.unpack("<IQQ", _take(file, 20))
    if version not in (2, 3):
        raise ValueError(f"version {version} of the format; 2 and 3 are known")
    if count > _MOST_PAIRS:
        raise ValueError(f"{count} pairs in its head")
    pairs: dict[str, _Value] = {}
    for _ in range(count):
        key = _string(file)
        value = _value(file, *struct.unpack("<I", _take(file, 4)))
        if value is not None:
            pairs[key] = value
    return pairs


def _value(file: BinaryIO, kind: int) -> _Value | None:
    """A value; of arrays nothing is kept."""
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        inner, count = struct.unpack("<IQ", _take(file, 12))
        if inner in _NUMBERS:
            file.seek(count * struct.calcsize(_NUMBERS[inner]), 1)
        else:
            for _ in range(count):
                _value(file, inner)
        return None
    if kind not in _NUMBERS:
        raise ValueError(f"a value of kind {kind}")
    form = _NUMBERS[kind]
    value: int | float | bool = struct.unpack(form, _take(file, struct.calcsize(form)))[0]
    return value


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", _take(file, 8))
    if length > _LONGEST_KEPT:
        file.seek(length, 1)
        return ""
    return _take(file, length).decode("utf-8", "replace")


def _take(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError("it ends within its head")
    return data
