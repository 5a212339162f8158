"""Names that the two releases define: those of their flags that are used, and of their parsers.

Read in the releases' own argument definitions: vLLM 0.33.0 `vllm/engine/arg_utils.py`,
`vllm/entrypoints/common/cli_args.py`, `vllm/tool_parsers/__init__.py` and
`vllm/reasoning/__init__.py`; SGLang 0.5.23 `sglang/srt/arg_groups/fields`,
`sglang/srt/function_call/parser_names.py` and `sglang/srt/parser/reasoning_parser.py`.
"""

from __future__ import annotations


def names(text: str) -> set[str]:
    return set(text.split())


VALUES = {
    "vllm": names("""
        --served-model-name --host --tensor-parallel-size --pipeline-parallel-size
        --data-parallel-size --nnodes --node-rank --master-addr --master-port
        --data-parallel-rpc-port --max-num-seqs --max-num-batched-tokens --max-num-queued-reqs
        --max-model-len --gpu-memory-utilization --kv-cache-dtype --block-size --quantization
        --speculative-config --kv-transfer-config --shutdown-timeout --tool-call-parser
        --reasoning-parser
    """),
    "sglang": names("""
        --model-path --served-model-name --host --tp-size --pp-size --attn-dp-size --ep-size
        --nnodes --node-rank --dist-init-addr --max-running-requests --chunked-prefill-size
        --max-prefill-tokens --max-queued-requests --context-length --mem-fraction-static
        --kv-cache-dtype --page-size --quantization --speculative-algorithm
        --speculative-num-steps --speculative-eagle-topk --speculative-num-draft-tokens
        --disaggregation-mode --disaggregation-transfer-backend --disaggregation-bootstrap-port
        --tool-call-parser --reasoning-parser
    """),
}
"""Flags that take a value."""

SWITCHES = {
    "vllm": names("""
        --enable-expert-parallel --headless --enable-prompt-tokens-details
        --enable-auto-tool-choice
    """),
    "sglang": {"--enable-cache-report", "--enable-metrics"},
}
"""Flags that take none."""

KV_DTYPES = {
    "vllm": {"auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2"},
    "sglang": {"auto", "bf16", "bfloat16", "fp8_e4m3", "fp8_e5m2"},
}
QUANTIZATIONS = {"vllm": {"fp8_per_tensor", "mxfp4"}, "sglang": {"fp8"}}

TOOL_PARSERS = {
    "vllm": names("""
        apertus beam cohere_command3 cohere_command4 deepseek_v3 deepseek_v31 deepseek_v32
        deepseek_v4 deepseek_v41 dots ernie45 functiongemma gemma4 gigachat3 glm45 glm47 granite
        granite-20b-fc granite4 hermes hf hunyuan_a13b hy_v3 hy_v4 inkling internlm jamba
        k2_horizon kimi_k2 kimi_k3 lfm2 ling3 llama3_json llama4_json llama4_pythonic longcat mimo
        minicpm5 minimax_m2 minimax_m3 mistral muse muse_glimmer musespark1x olmo3 openai
        phi4_mini_json plamo3 poolside_v1 pythonic qwen3_coder qwen3_json qwen3_xml seed_oss step3
        step3p5 step5 xlam
        """),
    "sglang": names("""
        apertus2509 beam cohere_command4 deepseekv3 deepseekv31 deepseekv32 deepseekv4 deepseekv41
        dots gemma4 gigachat3 gigachat35 glm glm45 glm47 gpt-oss hermes hunyuan inkling interns1
        iquest_q1 k2_horizon kimi_k2 kimi_k3 lfm2 ling3 llama3 mimo minicpm5 minimax-m2 minimax-m3
        mistral muse nanbeige poolside_v1 pythonic qwen qwen25 qwen3_coder response_template
        spark25 step3 step3p5 trinity
        """),
}

REASONING_PARSERS = {
    "vllm": names("""
        beam cohere_command3 cohere_command4 deepseek_r1 deepseek_v3 deepseek_v4 deepseek_v41
        ernie45 gemma4 glm45 glm47 granite granite_thinking_parser hf holo2 hunyuan_a13b hy_v3
        hy_v4 inkling k2_horizon kimi_k2 kimi_k3 ling3 mimo minicpmv minimax_m2
        minimax_m2_append_think minimax_m3 mistral muse muse_glimmer musespark1x nemotron_v3 olmo3
        openai_gptoss plamo3 poolside_v1 qwen3 seed_oss step3 step3p5 step5
        """),
    "sglang": names("""
        apertus2509 beam cohere_command4 deepseek-r1 deepseek-v3 deepseek-v4 deepseek-v41 dots
        gemma4 gigachat35 glm45 gpt-oss granite_thinking_parser hunyuan inkling interns1 iquest_q1
        k2_horizon kimi kimi_k2 kimi_k3 ling3 mimo minimax minimax-append-think minimax-m3 mistral
        muse nanbeige nemotron_3 poolside_v1 qwen3 qwen3-thinking response_template step3 step3p5
        """),
}
