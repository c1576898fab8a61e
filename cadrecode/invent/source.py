"""The text that names invented parts where a folder or a file of parts would be: `invent:<family>[:<count>]`."""

from __future__ import annotations

from cadrecode.errors import DatasetError
from cadrecode.invent.draw import FAMILIES

PREFIX = "invent:"


def family_in(source: str) -> tuple[str, int | None]:
    """The family and the count of `invent:<family>[:<count>]`. Raises: DatasetError: it is not written like that."""
    _, family, *rest = source.split(":")
    if family not in FAMILIES:
        raise DatasetError(
            "{source}: no family {family!r}. There are {names}.",
            source=source,
            family=family,
            names=", ".join(sorted(FAMILIES)),
        )
    if len(rest) > 1 or (rest and not rest[0].isdigit()):
        raise DatasetError("{source}: expected invent:<family> or invent:<family>:<count>.", source=source)
    return family, int(rest[0]) if rest else None
