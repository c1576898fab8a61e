"""Numbers as a person would write them: round, standard, equal, centred, within an allowed deviation."""

from cadrecode.snapping.faces import face_places, onto_faces
from cadrecode.snapping.origins import simple_origins, with_origins
from cadrecode.snapping.snap import Snap, snapped

__all__ = ["Snap", "face_places", "onto_faces", "simple_origins", "snapped", "with_origins"]
