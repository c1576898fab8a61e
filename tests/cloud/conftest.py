"""A kernel that does nothing, for STEP and BREP files."""

from unittest.mock import Mock

import pytest


@pytest.fixture
def kernel(monkeypatch):
    """In place of the warm sandbox; `tessellate` returns what a test gives it."""
    kernel = Mock()
    monkeypatch.setattr("cadrecode.kernel.sandbox.shared_sandbox", lambda: kernel)
    return kernel
