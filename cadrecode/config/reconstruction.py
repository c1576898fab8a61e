"""The settings of rebuilding a scan."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from cadrecode.config.settings import Seed, Settings, reading

Unit = Literal["mm", "cm", "m", "inch"]
FIT_SECONDS = 3.0  # of the verb `fit`, for each program
UNITS: tuple[str, ...] = get_args(Unit)


class ReconstructConfig(Settings):
    """How a scan is rebuilt. Command line, app, API, batch and Python take these settings and these defaults."""

    other_spellings: ClassVar[dict[str, str]] = {"fit_seconds": "seconds", "units": "unit"}

    source: Literal["both", "measured", "model"] = "both"
    """Where programs come from. both: read off the input, and written by the model.
    measured: without the model where something can be read. model: the model alone."""
    candidates: PositiveInt = 8
    """Programs that the model writes."""
    temperature: PositiveFloat = 0.7
    """How freely candidates are drawn, from the second on. The first is the model's most likely program."""
    seed: Seed = 0
    """Same seed, same candidates."""
    seconds: NonNegativeFloat = 6.0
    """Time for fitting the best three candidates to the input. 0: they stay as they were written.
    Measuring takes up to as long again, or up to 12 s where that is more. Most inputs take a few seconds."""
    align: Annotated[bool, reading({"auto": True})] = True  # as the guide writes it
    """Rebuild a part that stands askew along its own axes and turn it back. off: along the axes of the file."""
    clean: Annotated[Literal["off", "outliers", "all"], reading({True: "all", False: "off"})] = "off"
    """Remove what is not the part. outliers: lone points. all: also the table under the part and crumbs beside it."""
    snap: Annotated[Literal["auto", "off"] | PositiveFloat, reading({True: "auto", "": "auto", False: "off"})] = "auto"
    """How far a number may be changed to be one that a person would write: whole, a drill size, equal to another.
    A length in the unit of the file. auto: as far as the input cannot tell the difference. off: not at all."""
    names: bool = False
    """Write the program with its dimensions as variables at the top: plate_width = 80."""
    unit: Unit = "mm"
    """Unit of the file's numbers: mm, cm, m or inch."""
