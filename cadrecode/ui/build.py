"""The page: a head line, the tabs, and the server that shows them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio is imported: nothing leaves the machine
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from gradio.utils import get_cache_folder, get_upload_folder
from starlette.middleware import Middleware

from cadrecode.jobs import queue
from cadrecode.ui import access, api, guide, machine
from cadrecode.ui.access import Login
from cadrecode.ui.adapters import tab as adapters
from cadrecode.ui.adapters.actions import DOWNLOADS
from cadrecode.ui.batch import tab as batch
from cadrecode.ui.browser import browser_state
from cadrecode.ui.draw import html, theme
from cadrecode.ui.evaluate import tab as evaluate
from cadrecode.ui.events import hear
from cadrecode.ui.guard import Guard, Hosts, fetch_nothing
from cadrecode.ui.login import PasswordCheck
from cadrecode.ui.reconstruct import samples
from cadrecode.ui.reconstruct import tab as reconstruct
from cadrecode.ui.services import Services
from cadrecode.ui.sessions import lighten
from cadrecode.ui.train import tab as train
from cadrecode.ui.viewer import component
from cadrecode.ui.words.language import PAGES, LanguageMiddleware
from cadrecode.ui.words.text import LANGUAGES, Words

log = logging.getLogger(__name__)

CACHE_SECONDS = (1800, 24 * 3600)  # how often Gradio looks for old files of its own, and how old they may grow
OWNERS = ("train", "evaluate", "adapters")  # tabs that guests may not use
LOOK_SECONDS = 0.03  # how often Gradio looks for work; its default, a thousand times a second, takes 5 % of a core
PROGRESS_SECONDS = 1.0  # how often it looks for its own progress bars, of which there are none here
THREADS = 200  # for handlers; a visitor who waits for the engine holds one
AT_ONCE = 16  # calls of one handler at the same time; the engine and the sandbox do one thing at a time by themselves

# The open tab is in the address; the Tab key stops once at the tabs, arrow keys go between them; Escape closes help.
NAVIGATION = """
const tabs = () => [...document.querySelectorAll('#tabs [role=tab]')];
const open = () => tabs().find(tab => tab.dataset.tabId === location.hash.slice(1))?.click();
const attach = () => {
  const list = document.querySelector('#tabs [role=tablist]');
  if (!list || !tabs().length) return requestAnimationFrame(attach);
  const rove = () => {
    for (const tab of tabs()) tab.tabIndex = tab.ariaSelected === 'true' ? 0 : -1;
    const {tabId} = tabs().find(tab => tab.ariaSelected === 'true')?.dataset ?? {};
    const {pathname, search, hash} = location;
    if (tabId && (hash || tabId !== 'reconstruct')) history.replaceState(null, '', `${pathname}${search}#${tabId}`);
  };
  open();
  rove();
  new MutationObserver(rove).observe(list, {subtree: true, childList: true, attributeFilter: ['aria-selected']});
  list.addEventListener('keydown', (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key], next = tabs()[tabs().indexOf(event.target) + step];
    next?.focus();
    next?.click();
  });
};
attach();
window.addEventListener('hashchange', open);
element.addEventListener('click', ({target}) => { if (target.lang) target.hash = location.hash; });
document.addEventListener('keydown', ({key}) => {
  if (key === 'Escape') document.querySelectorAll('.cr-about[open]').forEach(help => { help.open = false; });
});
"""


def build_app(services: Services) -> gr.Blocks:
    """The page in each language, and the functions of the API."""
    access.set_guests(services.guests)
    app = gr.Blocks(title="cadrecode", analytics_enabled=False, fill_width=True, delete_cache=CACHE_SECONDS)
    for language, path in PAGES.items():
        words = Words(language)
        with app if path == "/" else app.route(LANGUAGES[language], path, show_in_navbar=False):
            _page(services, words, app)
            if path == "/":  # in the same block, because Gradio makes its server anew at the end of each block
                api.build(services)
    app.queue(default_concurrency_limit=AT_ONCE)
    app._queue.sleep_when_free, app._queue.progress_update_sleep_when_free = LOOK_SECONDS, PROGRESS_SECONDS
    lighten(app)
    return app


def _page(services: Services, words: Words, app: gr.Blocks) -> None:
    gr.HTML(_head(words))
    memory = browser_state("train")
    with gr.Tabs(elem_id="tabs") as tabs:
        with gr.Tab(words("tab.reconstruct"), id="reconstruct") as tab:
            reconstruct.build(services, words, app, tab)  # first: Rebuild is the fifth stop of the Tab key
            guide.tour(words)
            guide.about(words, "reconstruct")
        with gr.Tab(words("tab.batch"), id="batch") as tab:
            guide.about(words, "batch")
            batch.build(services, words, app, tab)
        with gr.Tab(words("tab.train"), id="train", elem_id="tab-train") as training:
            guide.about(words, "train")
            train.build(services, words, app, training, memory)
        with gr.Tab(words("tab.evaluate"), id="evaluate", elem_id="tab-evaluate") as evaluating:
            guide.about(words, "evaluate")
            evaluate.build(services, words, app, evaluating)
        with gr.Tab(words("tab.adapters"), id="adapters", elem_id="tab-adapters") as handing_on:
            guide.about(words, "adapters")
            adapters.build(services, words, app, tabs, handing_on)
            machine.build(services, words)
    gr.HTML(_corner(words, services.logins), js_on_load=NAVIGATION, apply_default_css=False, elem_id="corner")
    missing = gr.HTML("", padding=False, elem_id="missing-layers")
    hear(app.load, partial(_missing_layers, services, words), None, missing, words, guests=True)
    if services.guests:
        hear(app.load, _hidden_from_guests, None, gr.HTML("", padding=False, elem_id="for-guests"), words, guests=True)


def _missing_layers(services: Services, words: Words) -> str:
    missing = services.missing_layers()
    return html.warning(words("isolation.missing", layers=", ".join(map(words.said, missing)))) if missing else ""


def _hidden_from_guests() -> str:
    """A style that hides from guests the tabs that their handlers refuse. (Gradio ignores `visible` of a tab once the
    page is open.)"""
    buttons = ", ".join(f"#tab-{name}-button" for name in OWNERS)
    return f"<style>{buttons} {{ display: none !important; }}</style>" if access.is_guest() else ""


def _head(words: Words) -> str:
    # Gradio heads each message with "Error" and says "Drop File Here" of any file; the style sheet shows these words
    instead = f'--cr-error-title: "{words("error.title")}"; --cr-drop: "{words("cloud.drop")}";'
    return (
        f'<style>:root {{ {instead} }}</style><div class="cr-head"><h1>cadrecode</h1><p>{words("head.claim")}</p></div>'
    )


def _corner(words: Words, logins: bool) -> str:
    """The languages and the way out, at the top right; last for the Tab key."""
    links = "".join(
        f'<span lang="{language}" aria-current="page">{name}</span>'
        if language == words.language
        else f'<a href="./?lang={language}" lang="{language}">{name}</a>'
        for language, name in LANGUAGES.items()
    )
    leave = ""
    if logins:
        leave = f'<form method="post" action="./logout"><button id="log-out">{words("login.out")}</button></form>'
    return f'<nav aria-label="{words("head.language")}">{links}</nav>{leave}'


def start(
    services: Services,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    share: bool = False,
    auth: Sequence[Login] | None = None,
    mcp: bool = False,
    names: Sequence[str] = (),
    framed_by: str = "",
) -> tuple[gr.Blocks, str]:
    """Open the app. Returns the page and its address.

    Args:
        auth: Names and passwords of all who may log in, the owner's first; with None nobody has to.
        mcp: Also offer the functions of the API as MCP tools.
        names: Further names under which the app may be called.
        framed_by: A site that may show the app in a frame.
    """
    downloads = services.runs_dir / DOWNLOADS
    downloads.mkdir(parents=True, exist_ok=True)
    gr.set_static_paths([downloads])  # served from where they lie, never copied
    hosts = Hosts(host, {name.lower() for name in names}, framed_by)
    checked = PasswordCheck(auth) if auth else None
    app = build_app(services)
    fetch_nothing()
    _, local, public = app.launch(
        server_name=host,
        server_port=port,
        share=share,
        auth=checked and checked.check,
        theme=theme.theme(),
        css_paths=theme.STYLE,
        app_kwargs={"middleware": _guarding(hosts, checked, downloads), "routes": component.ROUTES},
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=mcp,
        quiet=True,
        prevent_thread_lock=True,
        max_file_size="2gb",
        max_threads=THREADS,
    )
    if public:
        hosts.names.add(urlsplit(public).hostname)
    elif share:
        log.warning("No public link could be made (see above); the app goes on at the local address.")
    return app, public or local


def _guarding(hosts: Hosts, logins: PasswordCheck | None, downloads: Path) -> list[Middleware]:
    """The middleware before Gradio's server, the outermost first."""

    def files() -> list[Path]:
        return [Path(get_upload_folder()), Path(get_cache_folder())]

    guard = Middleware(Guard, hosts=hosts, logins=logins, files=files, owners=downloads)
    return [guard, Middleware(LanguageMiddleware)]


def stop(app: gr.Blocks) -> None:
    """Close the app, without waiting for pages that are open."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would list unfinished requests
    app.server.force_exit = True  # pages keep a connection open for as long as they live
    app.close(verbose=False)


def serve(
    services: Services,
    *,
    stay: Callable[[], None],
    ready: Callable[[str], None] = print,
    **options: Any,
) -> None:
    """Open the app and stay until it is interrupted.

    Args:
        stay: Returns when the app is to close.
        ready: Called with the address.
        options: See `start`.
    """
    app, address = start(services, **options)
    ready(address)
    queue.watch(services.runs_dir)  # runs that waited when the app was closed
    services.warm(samples.prepare)
    try:
        stay()
    finally:
        stop(app)
        services.close()
