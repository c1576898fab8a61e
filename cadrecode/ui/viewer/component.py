"""The 3D view as one component of the page: its markup, its script, and the addresses that the script comes from.

Its value is a scene as `scene.scene` makes it. The component `knowledge` beside it brings, later, which numbers move
which faces. Both are plain data: the browser does the drawing, the modes, the section and the measuring by itself.
"""

from __future__ import annotations

import hashlib
from html import escape
from pathlib import Path

import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from cadrecode.shipped import ROOT
from cadrecode.ui.words.text import Words

MODES = ("cloud", "points", "solid", "deviation")
LOOKS = ("front", "right", "top", "iso", "fit")
ADDRESS = "/viewer/{version}/{name}"
FOLDER = Path(__file__).parent
SCRIPTS = {path.name: path for path in (*sorted(FOLDER.glob("*.js")), ROOT / "assets" / "viewer" / "three.js")}
VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in SCRIPTS.values())).hexdigest()[:12]

# The view's script is loaded once for a page; what comes before it is loaded waits.
LOAD = f"""
let viewer = null, known = null;
const show = () => {{ if (props.value?.part) viewer?.show(props.value); else viewer?.empty(); }};
document.addEventListener('cadrecode:faces', ({{detail}}) => {{ known = detail; viewer?.know(known); }});
document.addEventListener('cadrecode:spot', ({{detail}}) => viewer?.goTo(detail));
import(new URL('viewer/{VERSION}/viewer.js', document.baseURI)).then(({{Viewer}}) => {{
  viewer = new Viewer(element.querySelector('.cr-viewer'));
  if (known) viewer.know(known);
  show();
}}).catch((error) => {{
  element.querySelector('.cr-broken').hidden = false;
  console.warn(error);
}});
watch('value', show);
"""
TELL = """
watch('value', () => {
  if (props.value) document.dispatchEvent(new CustomEvent('cadrecode:faces', {detail: props.value}));
});
"""


def view(words: Words) -> gr.HTML:
    """The view, with nothing in it."""
    return gr.HTML(None, html_template=_markup(words), js_on_load=LOAD, apply_default_css=False, elem_id="result")


def knowledge() -> gr.HTML:
    """The facts that reach the view after it has drawn a part: `scene.moved`."""
    return gr.HTML(None, html_template="<i></i>", js_on_load=TELL, elem_id="faces", elem_classes="cr-none")


def _markup(words: Words) -> str:
    modes = "".join(
        f'<label><input type="radio" name="mode" value="{mode}" {"checked" if mode == "points" else ""}>'
        f"<span>{escape(words(f'mode.{mode}'))}</span></label>"
        for mode in MODES
    )
    looks = "".join(
        f'<button type="button" data-look="{look}" title="{escape(words(f"look.{look}.key"))}">'
        f"{escape(words(f'look.{look}'))}</button>"
        for look in LOOKS
    )
    tools = "".join(
        f'<button type="button" data-tool="{tool}" aria-pressed="false">{escape(words(f"tool.{tool}"))}</button>'
        for tool in ("section", "measure")
    )
    axes = "".join(f"<option>{axis}</option>" for axis in "xyz")
    cut = (
        '<div class="cr-cut" hidden>'
        f'<select data-cut="axis" aria-label="{escape(words("section.axis"))}">{axes}</select>'
        f'<input type="range" min="-1" max="1" step="any" value="0" data-cut="at" '
        f'aria-label="{escape(words("section.place"))}">'
        f'<label><input type="checkbox" data-cut="flip"> {escape(words("section.flip"))}</label></div>'
    )
    legend = (
        f'<div class="cr-legend" hidden><span data-text="{escape(words("legend.inside"))}"></span>'
        f'<svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label="{escape(words("legend.title"))}">'
        f'</svg><span data-text="{escape(words("legend.outside"))}"></span>'
        f"<small>{escape(words('legend.unseen'))}</small></div>"
    )
    hint = escape(words("measure.hint"))
    return (
        f'<div class="cr-viewer" tabindex="0" role="group" aria-label="{escape(words("viewer.title"))}">'
        f'<div class="cr-tools"><div class="cr-segments" id="mode" role="radiogroup" '
        f'aria-label="{escape(words("mode.title"))}">{modes}</div><div class="cr-segments">{looks}</div>'
        f'<div class="cr-segments">{tools}</div></div>'
        f'<div class="cr-stage"><canvas></canvas><svg class="cr-lines" aria-hidden="true"></svg>'
        f'<div class="cr-spots"></div><div class="cr-knob" hidden></div><div class="cr-tip" hidden></div>{cut}{legend}'
        f'<div class="cr-measured" role="status" data-hint="{hint}" hidden>{hint}</div>'
        f'<p class="cr-broken cr-bad" hidden>{escape(words("viewer.broken"))}</p></div></div>'
    )


async def _script(request: Request) -> Response:
    path = SCRIPTS.get(request.path_params["name"])
    if path is None or request.path_params["version"] != VERSION:
        return PlainTextResponse("Not found", 404)
    headers = {"cache-control": "public, max-age=31536000, immutable"}  # its version is in the address
    return FileResponse(path, media_type="text/javascript", headers=headers)


ROUTES = [Route(ADDRESS, _script)]
