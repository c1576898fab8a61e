"""Seconds of a fit are the processor's here: by the clock, it would get to less on a crowded machine."""

import time

import pytest


@pytest.fixture(autouse=True)
def _processor_time(monkeypatch):
    monkeypatch.setattr(time, "monotonic", time.process_time)
