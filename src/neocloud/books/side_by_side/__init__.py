"""Planned, simulated and metered cost of tokens side by side, and why they differ."""
