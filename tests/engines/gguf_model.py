"""A tiny model in a GGUF file: real architecture, random weights, one token a byte.

Four Llama layers of width 256 with grouped-query attention, 3.3 million parameters in 16 bits: 6.6
MB, written in a twentieth of a second. What it says is noise; that it says it is what tests need.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

VOCABULARY = 259
"""Unknown, begin, end, and 256 bytes."""
_WIDTH, _LAYERS, _HEADS, _KV_HEADS, _FEED_FORWARD = 256, 4, 4, 2, 768
_UNKNOWN, _BEGIN, _END = 0, 1, 2
_TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"
)  # fmt: skip


def write_model(path: Path, *, seed: int = 0, context: int = 4096, name: str = "micro") -> Path:
    """Write the model; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_tokenizer(writer)

    def weights(tensor: str, *shape: int) -> None:
        writer.add_tensor(tensor, (rng.standard_normal(shape) * 0.05).astype(np.float16))

    def norm(tensor: str) -> None:
        writer.add_tensor(tensor, np.ones(_WIDTH, np.float32))

    weights("token_embd.weight", VOCABULARY, _WIDTH)
    weights("output.weight", VOCABULARY, _WIDTH)
    norm("output_norm.weight")
    narrow = _WIDTH // _HEADS * _KV_HEADS
    for layer in range(_LAYERS):
        place = f"blk.{layer}"
        norm(f"{place}.attn_norm.weight")
        norm(f"{place}.ffn_norm.weight")
        weights(f"{place}.attn_q.weight", _WIDTH, _WIDTH)
        weights(f"{place}.attn_k.weight", narrow, _WIDTH)
        weights(f"{place}.attn_v.weight", narrow, _WIDTH)
        weights(f"{place}.attn_output.weight", _WIDTH, _WIDTH)
        weights(f"{place}.ffn_gate.weight", _FEED_FORWARD, _WIDTH)
        weights(f"{place}.ffn_up.weight", _FEED_FORWARD, _WIDTH)
        weights(f"{place}.ffn_down.weight", _WIDTH, _FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    kind = gguf.TokenType
    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types([kind.UNKNOWN, kind.CONTROL, kind.CONTROL, *[kind.BYTE] * 256])
    writer.add_unk_token_id(_UNKNOWN)
    writer.add_bos_token_id(_BEGIN)
    writer.add_eos_token_id(_END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(_TEMPLATE)
