"""Words of sharing, Batch, the one-page report, the tour, and the help behind each tab's question mark.

Lines of a help text are its paragraphs.
"""

from __future__ import annotations

GUIDE: dict[str, str] = {
    "tour.title": "A first look",
    "tour.step": "{n} of 3",
    "tour.next": "Next",
    "tour.end": "Skip",
    "tour.done": "Start",
    "tour.again": "Show the tour again",
    "tour.1": "Drop a scan, a mesh or a STEP file here, or pick one of the samples below. It appears at once.",
    "tour.2": (
        "Press Rebuild. In about ten seconds the model writes several programs and shows the nearest to your points."
    ),
    "tour.3": "Drag a slider and the part follows; edit the program; then download STEP, STL or the report.",
    "help.open": "Help",
    "help.about": "Help: {tab}",
    "help.reconstruct": (
        "One scan in, one short CAD program out. Drop a file or pick a sample, check its unit, press Rebuild.\n"
        "The large number is the points' mean distance from the part; “deviation” shows where, in red and blue. "
        "Below it the other candidates: click one to see it.\n"
        "Sliders change the numbers of the program and never ask the model. All files are in the unit of your scan.\n"
        "Nothing leaves this machine."
    ),
    "help.batch": (
        "Many scans at once: several files, a folder, or one zip. Each is rebuilt with the settings on the left.\n"
        "A file that fails is listed with its reason, and the others go on. At the end there is one zip with STEP, "
        "program and report of each part."
    ),
    "help.train": (
        "Teach the model your own parts: pick data and a preset, press Start training. It works with nothing changed.\n"
        "The run goes on when you close this page, and is here again when you open it. “Save and stop” keeps a "
        "checkpoint to resume from; “Kill” does not.\n"
        "A falling loss is the first good sign; the real test is Evaluate."
    ),
    "help.evaluate": (
        "How good is a model, on parts that it has not seen? Pick parts and models, press Evaluate.\n"
        "IoU is the share of volume that original and rebuilt part have in common: 1 is the same part, 0 nothing. "
        "A program that fails counts as 0. The model sees points alone, never the mesh.\n"
        "It goes on when you close this page. When the app was closed, what was scored is here, and “Go on” scores the "
        "rest."
    ),
    "help.adapters": (
        "What training made: small files that change the base model's habits. Pick one and use it in Reconstruct.\n"
        "Merge writes a whole model that needs no adapter, and checks that both answer the same. "
        "Download hands either of them on."
    ),
    # who may do what
    "guest.refused": "Guests rebuild parts; this is for the owner of the app.",
    # a cloud whose unit is doubtful
    "cloud.tiny": (
        "The longest side is only {size}. If the scan was taken in metres, pick m as its unit: all sizes follow."
    ),
    # the link to a part
    "link.make": "Copy link",
    "link.label": "Link to this program",
    "link.info": "The program is in the address itself; the scan is not. It opens in this app, or in another.",
    # batch
    "batch.drop": "Drop scans, or a zip of scans",
    "batch.folder": "Take a whole folder",
    "batch.go": "Rebuild all",
    "batch.title": "Scans",
    "batch.name": "File",
    "batch.state": "State",
    "batch.deviation": "Mean deviation",
    "batch.seconds": "Time",
    "batch.why": "Remark",
    "batch.empty": "Nothing here yet: drop several scans or a zip of them, or take a folder, and press Rebuild all.",
    "batch.progress": "{n} of {total}: {stage}",
    "batch.done": "{done} rebuilt, {failed} failed.",
    "batch.zip": "Download all as zip",
    "batch.model": "Model: {model}",
    "row.waiting": "waiting",
    "row.working": "working",
    "row.done": "done",
    "row.failed": "failed",
    # the one-page report
    "page.numbers": "Numbers",
    "page.deviation": "the points, coloured by their deviation",
    "page.size": "size",
    "page.points": "points",
    "page.p95": "95 % of the points within",
    "page.max": "largest deviation",
    "page.bias": "mean side (above 0: outside)",
    "page.distance": "both ways",
    "page.before": "before the fit",
    "page.solid": "OpenCASCADE",
}
