"""Programs that are there already, moved onto clouds: one with its scan, or many with the solids they should be.

The fit sees points alone. Where the true solid is known, the IoU is worked out afterwards and changes nothing.
"""

from cadrecode.refine.batch import CLOUD_POINTS, refine_all
from cadrecode.refine.single import CODE, RAW, SECONDS, Refined, refine, write_files

__all__ = ["CLOUD_POINTS", "CODE", "RAW", "SECONDS", "Refined", "refine", "refine_all", "write_files"]
