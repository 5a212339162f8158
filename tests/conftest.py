"""What all tests share: properties are judged by what they find, not by how long a try takes."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("neocloud", deadline=None)
settings.load_profile("neocloud")
