"""Fits a program to a cloud: numbers and features change until the surface lies on the points."""

from cadrecode.fit.search import FitResult, fit, ruler_for

__all__ = ["FitResult", "fit", "ruler_for"]
