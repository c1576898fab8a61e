"""A cloud or a closed mesh in, a ranked list of programs out. Nothing but the input decides which comes first."""

from cadrecode.reconstruction.rebuild import Cancelled, Reconstruction, reconstruct, threads_for

__all__ = ["Cancelled", "Reconstruction", "reconstruct", "threads_for"]
