"""The page: a head line, the tabs, and the server that shows them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio is imported: nothing leaves the machine
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from starlette.middleware import Middleware

from cadrecode.jobs import queue
from cadrecode.ui import access, api, guide
from cadrecode.ui.adapters import tab as adapters
from cadrecode.ui.adapters.actions import DOWNLOADS
from cadrecode.ui.batch import tab as batch
from cadrecode.ui.browser import browser_state
from cadrecode.ui.draw import theme
from cadrecode.ui.evaluate import tab as evaluate
from cadrecode.ui.events import hear
from cadrecode.ui.reconstruct import samples
from cadrecode.ui.reconstruct import tab as reconstruct
from cadrecode.ui.services import Services
from cadrecode.ui.train import tab as train
from cadrecode.ui.words.language import PAGES, LanguageMiddleware
from cadrecode.ui.words.text import LANGUAGES, Words

log = logging.getLogger(__name__)

CACHE_SECONDS = (1800, 24 * 3600)  # how often Gradio looks for old files of its own, and how old they may grow
OWNERS = ("train", "evaluate", "adapters")  # tabs that guests may not use
LOOK_SECONDS = 0.03  # how often Gradio looks for work; its default, a thousand times a second, takes 5 % of a core
PROGRESS_SECONDS = 1.0  # how often it looks for its own progress bars, of which there are none here
AT_ONCE = 16  # calls of one handler at the same time; the engine and the sandbox do one thing at a time by themselves


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
    return app


def _page(services: Services, words: Words, app: gr.Blocks) -> None:
    gr.HTML(_head(words))
    memory = browser_state("train")
    with gr.Tabs(elem_id="tabs") as tabs:
        with gr.Tab(words("tab.reconstruct"), id="reconstruct") as tab:
            guide.tour(words)
            guide.about(words, "reconstruct")
            reconstruct.build(services, words, app, tab)
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
    if services.guests:
        hear(app.load, _hidden_from_guests, None, gr.HTML("", padding=False, elem_id="for-guests"), words, guests=True)


def _hidden_from_guests() -> str:
    """A style that hides from guests the tabs that their handlers refuse. (Gradio ignores `visible` of a tab once the
    page is open.)"""
    buttons = ", ".join(f"#tab-{name}-button" for name in OWNERS)
    return f"<style>{buttons} {{ display: none !important; }}</style>" if access.is_guest() else ""


def _head(words: Words) -> str:
    current = 'aria-current="page"'
    links = "".join(
        f'<a href="./?lang={language}" lang="{language}" {current if language == words.language else ""}>{name}</a>'
        for language, name in LANGUAGES.items()
    )
    # Gradio's page heads each message with "Error", whatever title it is given; the style sheet shows this one
    title = f'<style>:root {{ --cr-error-title: "{words("error.title")}"; }}</style>'
    return (
        f'{title}<div class="cr-head"><h1>cadrecode</h1><p>{words("head.claim")}</p>'
        f'<nav aria-label="{words("head.language")}">{links}</nav></div>'
    )


def serve(
    services: Services,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    share: bool = False,
    auth: list[tuple[str, str]] | None = None,
    mcp: bool = False,
    ready: Callable[[str], None] = print,
    stay: Callable[[], None] = lambda: threading.Event().wait(),
) -> None:
    """Open the app and stay until it is interrupted.

    Args:
        auth: Names and passwords of all who may log in; with None nobody has to.
        mcp: Also offer the functions of the API as MCP tools.
        ready: Called with the address.
        stay: Returns when the app is to close.
    """
    downloads = services.runs_dir / DOWNLOADS
    downloads.mkdir(parents=True, exist_ok=True)
    gr.set_static_paths([downloads])  # served from where they lie, never copied
    middleware = [Middleware(LanguageMiddleware), Middleware(access.OwnersFiles, folder=downloads)]
    app = build_app(services)
    _, local, public = app.launch(
        server_name=host,
        server_port=port,
        share=share,
        auth=auth,
        theme=theme.theme(),
        css_paths=theme.STYLE,
        app_kwargs={"middleware": middleware},
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=mcp,
        quiet=True,
        prevent_thread_lock=True,
        max_file_size="2gb",
    )
    if share and not public:
        log.warning("No public link could be made (see above); the app goes on at the local address.")
    ready(public or local)
    queue.watch(services.runs_dir)  # runs that waited when the app was closed
    services.warm(samples.prepare)
    try:
        stay()
    finally:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would list unfinished requests
        app.server.force_exit = True  # pages keep a connection open for as long as they live
        app.close(verbose=False)
        services.close()
