"""Every word the app shows, in English. The Chinese is in the catalogue, and nothing else in ui writes a sentence.

Messages of errors come from the room that raises them; `Words.said` translates them, too.
"""

from __future__ import annotations

import re
from html import escape

from cadrecode.config import TrainConfig
from cadrecode.ui.words import catalogue
from cadrecode.ui.words.guide import GUIDE
from cadrecode.ui.words.runs import RUNS

LANGUAGES = {"en": "English", "zh": "简体中文"}

WORDS: dict[str, str] = {
    # head and tabs
    "head.claim": "Point clouds to editable CAD programs",
    "head.language": "Language",
    "tab.reconstruct": "Reconstruct",
    "tab.batch": "Batch",
    "tab.train": "Train",
    "tab.evaluate": "Evaluate",
    "tab.adapters": "Adapters",
    # reconstruct: the cloud
    "cloud.drop": "Drop a point cloud, mesh or STEP file",
    "cloud.samples": "Samples",
    "cloud.preview": "The cloud",
    "cloud.none": "No cloud yet: drop a file or pick a sample.",
    "cloud.facts": "{n} points · {size} {unit}",
    "cloud.source": "Sample, made by {source}",
    "cloud.unit": "Unit of the file",
    # reconstruct: options
    "options.title": "Options",
    "options.candidates": "Candidates",
    "options.candidates.info": "Programs to generate; the one nearest to the cloud is shown first.",
    "options.temperature": "Temperature",
    "options.temperature.info": "How far the candidates stray from the model's first choice.",
    "options.fit": "Fit seconds",
    "options.fit.info": "Time to fit the best three candidates to the cloud. 0 keeps them as the model wrote them.",
    "options.align": "Align",
    "options.align.info": "Turn a part that stands askew along the axes.",
    "options.clean": "Clean",
    "options.clean.info": "Remove lone points, the table under the part and crumbs beside it.",
    "options.seed": "Seed",
    "options.seed.info": "Same seed, same candidates.",
    "options.base": "Model",
    "options.adapter": "Adapter",
    "options.adapter.none": "none",
    "base.embedded": "embedded base",
    "base.merged": "{name}, merged",
    # reconstruct: rebuild
    "rebuild.go": "Rebuild",
    "rebuild.cancel": "Cancel",
    "rebuild.done": "Done in {seconds} s.",
    "stage.loading": "loading the model",
    "stage.cleaning": "cleaning the scan",
    "stage.reading": "reading sections off the points",
    "stage.sampling": "writing programs",
    "stage.building": "building solids",
    "stage.ranking": "comparing with the cloud",
    "stage.fitting": "fitting to the cloud",
    "stage.checking": "checking in OpenCASCADE",
    "stage.measuring": "measuring",
    "stage.merging": "merging the weights and comparing both models' answers",
    "stage.saving": "verified: the answers are equal; saving",
    "stage.done": "done",
    # reconstruct: the result
    "result.title": "The part",
    "result.none": "Press Rebuild to turn the cloud into a part.",
    "result.mean": "mean deviation of the points",
    "result.p95": "95 % within {x}",
    "result.max": "largest {x}",
    "result.distance": "both ways {x}",
    "result.before": " ({x} before the fit)",
    "result.outside": "on average {x} outside of the part",
    "result.inside": "on average {x} inside of the part",
    "legend.inside": "{x} inside",
    "legend.outside": "{x} outside",
    "result.checking": "checking the solid",
    "result.valid": "valid solid",
    "result.invalid": "not a valid solid",
    "result.edited": "your program",
    "result.failures": "{bad} of {total} candidates were invalid ({why})",
    "result.missed": "{share} of the points lie farther than {x} from the part",
    "result.turned": "turned by {x} degrees",
    "result.unclear": "not turned: neither faces nor an axis stand out",
    "result.cleaned": "{x} of {n} points removed",
    "result.stopped": "stopped early",
    "mode.title": "View",
    "mode.points": "with points",
    "mode.deviation": "deviation",
    "mode.solid": "solid",
    "candidates.title": "Candidates by distance, both ways; before → after the fit",
    "candidates.unfitted": "Candidates by distance, both ways",
    "outcome.ok": "ok",
    "outcome.syntax error": "syntax error",
    "outcome.forbidden": "forbidden",
    "outcome.raised": "raised an error",
    "outcome.no shape": "no shape",
    "outcome.empty": "empty",
    "outcome.invalid solid": "invalid solid",
    "outcome.timeout": "too slow",
    "outcome.out of memory": "out of memory",
    "outcome.crashed": "crashed",
    "outcome.outside of the language": "not in the language",
    # reconstruct: dimensions
    "dimensions.title": "Dimensions",
    "dimensions.places": "Positions",
    "dimensions.none": "This program has no dimensions to change.",
    "dimensions.more": "{n} more numbers can be changed in the program only.",
    "dimensions.reset": "Reset",
    "dim.cylinder": "cylinder",
    "dim.circle": "circle",
    "dim.hole": "hole",
    "dim.rectangle": "rectangle",
    "dim.window": "window",
    "dim.profile": "profile",
    "dim.cutout": "cutout",
    "dim.place": "place",
    "dim.plane": "plane",
    "dim.width": "width",
    "dim.height": "height",
    "dim.depth": "depth",
    "dim.radius": "radius",
    "dim.offset": "offset",
    "dim.sphere": "sphere",
    "dim.revolution": "revolution",
    "dim.angle": "angle",
    "dim.axis": "axis",
    "dim.taper": "taper",
    "dim.diameter": "diameter",
    "dim.counterbore": "counterbore",
    "dim.countersink": "countersink",
    "dim.fillet": "fillet",
    "dim.chamfer": "chamfer",
    "dim.length": "length",
    "dim.corner": "corner",
    "dim.shell": "shell",
    "dim.thickness": "thickness",
    "dim.mirror": "mirror",
    "dim.pitch": "pitch",
    "dim.first": "first",
    "dim.spacing": "spacing",
    "dim.plate": "plate",
    "dim.disk": "disk",
    "dim.block": "block",
    "dim.body": "body",
    "dim.boss": "boss",
    "dim.wall": "wall",
    "dim.slot": "slot",
    "dim.pocket": "pocket",
    "dim.step": "step",
    "dim.hollow": "hollow",
    "dim.island": "island",
    "dim.envelope": "envelope",
    # reconstruct: program and files
    "program.title": "Program, in the file's units",
    "program.run": "Run program",
    "files.aligned": "aligned .ply",
    "files.deviation": "deviation .ply",
    "files.report": "report .json",
    "files.page": "report .html",
    "files.off": "STEP, STL and GLB are off: programs do not run on a public link without an OS sandbox.",
    "files.failed": "OpenCASCADE could not build this program ({why}), so there is only the program to download.",
    **RUNS,
    # errors
    "error.title": "That did not work",
    "error.place": "Line {line}, column {column}:",
    "error.expected": "Expected {what}.",
    "error.unexpected": "Something unforeseen went wrong ({kind}). The terminal that runs the app shows the details.",
    **GUIDE,
}


class Words:
    """The words of one language: words("train.step", step=3, total=9)."""

    def __init__(self, language: str):
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """Raises KeyError: there is no such key."""
        text = WORDS[key]
        if self.language == "zh":
            text = catalogue.of_page(key, text)
        return text.format(**values) if values else text

    def said(self, message: str) -> str:
        """What a room below says: an error, a warning, a reason."""
        return catalogue.in_chinese(message) if self.language == "zh" else message

    def state(self, state: str) -> str:
        """A run's state."""
        return self(f"state.{state}")

    def outcome(self, outcome: str) -> str:
        """How a program ended."""
        return self(f"outcome.{outcome}")

    def stage(self, stage: str) -> str:
        """What long work is doing; a stage without words of its own is shown by its name."""
        key = f"stage.{stage}"
        return self(key) if key in WORDS else stage

    def family(self, key: str, described: str) -> str:
        """A family of invented parts; one without words of its own is shown as it describes itself."""
        return self(f"family.{key}") if f"family.{key}" in WORDS else described

    def dimension(self, name: str) -> str:
        """A named number of a program, word by word: "hole 2 diameter". Chinese words stand without spaces."""
        text = " ".join(self(f"dim.{word}") if f"dim.{word}" in WORDS else word for word in name.split())
        return re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", text)

    def help(self, setting: str) -> str:
        """What a training setting means."""
        return self.said(TrainConfig.help(setting))

    def curve(self) -> dict[str, str]:
        """The words of the figures."""
        return {key.removeprefix("curve."): escape(self(key)) for key in WORDS if key.startswith("curve.")}
