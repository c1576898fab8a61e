"""A cloud or a closed mesh in, a ranked list of programs out. Nothing but the input decides which comes first."""

from cadrecode.reconstruction.candidates import Cancelled, Writer
from cadrecode.reconstruction.checked import checked
from cadrecode.reconstruction.rebuild import Rebuilt, rebuild, reconstruct, threads_for
from cadrecode.reconstruction.result import Reconstruction

__all__ = ["Cancelled", "Rebuilt", "Reconstruction", "Writer", "checked", "rebuild", "reconstruct", "threads_for"]
