"""The short form of every route; `make attack` tries all."""

import pytest

from tests.attacks.corpus import ROUTES
from tests.attacks.run import run


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_no_attack_escapes(route):
    results = run([route], short=True, seconds=15)  # on a busy machine fewer; `make attack` counts what it left out
    assert results, "nothing was tried"
    assert not [f"{result.name}: {result.escape}\n{result.detail}" for result in results if result.escape]


def test_every_attack_has_a_name_of_its_own():
    for route in ROUTES:
        names = [attack.name for attack in route.attacks]
        assert len(names) == len(set(names)), route.name
