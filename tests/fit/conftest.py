import pytest


@pytest.fixture(autouse=True)
def _seconds(processor_time):
    """Of every fit here."""
