"""A program and a cloud in, the program whose surface lies on the points out."""

from cadrecode.fit.search import FitResult, fit, ruler_for

__all__ = ["FitResult", "fit", "ruler_for"]
