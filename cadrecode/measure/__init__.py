"""Programs read off the input itself: sections, silhouettes and holes, without a model."""

from cadrecode.measure.measured import Measured
from cadrecode.measure.mesh import from_mesh

__all__ = ["Measured", "from_mesh"]
