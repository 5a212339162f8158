"""Emulated engines: the scheduler and the performance model behind vLLM's HTTP interface.

`python -m neocloud.engines.emulated` serves all emulated replicas of a plan. No accelerator and no
model stand behind them, and every answer says so. See docs/emulated-engine.md.
"""
