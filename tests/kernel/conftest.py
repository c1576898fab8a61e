"""One warm sandbox for the whole room: starting it costs seconds, a job in it hundredths."""

import pytest

from cadrecode.kernel import Sandbox


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox() as warm:
        yield warm
