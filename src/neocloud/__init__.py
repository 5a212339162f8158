"""Plan and run a multi-site GPU cloud for AI inference."""

__version__ = "0.1.0"
