"""Memory, time and energy of an engine's step; the steady throughput and latency that follow."""

from neocloud.perf.records import Configuration
