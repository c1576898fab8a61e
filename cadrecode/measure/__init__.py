"""Programs read off the input itself: sections, silhouettes and holes, without a model."""

from cadrecode.measure.closing import closed
from cadrecode.measure.cloud import from_cloud
from cadrecode.measure.measured import Measured
from cadrecode.measure.mesh import from_mesh

__all__ = ["Measured", "closed", "from_cloud", "from_mesh"]
