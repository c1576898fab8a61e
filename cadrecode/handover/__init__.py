"""A program in the words of other CAD systems: build123d, OpenSCAD and FreeCAD."""

from cadrecode.handover.written import FORMATS, hand_over

__all__ = ["FORMATS", "hand_over"]
