"""A program called `vllm` that behaves like it, and a cloud whose plan starts it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .clouds import CloudFile

FAKE = Path(__file__).parents[2] / "engines" / "fake_vllm.py"


def fake_vllm(folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Put it on the path of what the test starts."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "vllm"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def vllm_cloud(folder: Path) -> CloudFile:
    """Two replicas on one machine."""
    file = CloudFile(folder)
    file.plan()
    return file
