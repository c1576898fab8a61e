"""A link carries a program, and nothing but a program of the language gets in."""

import base64
import zlib

import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.ui.reconstruct import link

PLATE = "import cadquery as cq\nr=cq.Workplane('XY').box(80,40,8)"


def pack(text):
    return base64.urlsafe_b64encode(zlib.compress(text.encode())).decode()


def test_a_link_brings_the_program_and_its_unit():
    work = link.opened(link.packed(PLATE, "inch"))
    assert (work.shown.program, work.unit, work.cloud) == (PLATE, "inch", None)
    np.testing.assert_allclose(work.shown.size, (80, 40, 8))


@pytest.mark.parametrize(
    "value", ["x", "%%%", pack("furlong\n" + PLATE), pack("mm\n" + " " * 100_000), link.packed(PLATE, "mm")[:-9]]
)
def test_a_link_that_is_none_is_told(value):
    with pytest.raises(link.LinkError, match="cannot be read"):
        link.opened(value)


def test_only_the_language_is_let_in_and_only_it_is_sent():
    evil = "import os\nos.system('x')"
    with pytest.raises(ProgramError):
        link.opened(pack("mm\n" + evil))
    with pytest.raises(ProgramError):
        link.packed(evil, "mm")
