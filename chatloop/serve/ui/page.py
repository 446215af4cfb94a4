"""Puts the page together: a header with the state of the service, and the three tabs.

Importing this loads Gradio (seconds); the API does so in a thread, through the door.
"""

from __future__ import annotations

import hashlib
import hmac

import gradio as gr
from fastapi import FastAPI
from starlette.types import ASGIApp

from chatloop.core.errors import ApiError
from chatloop.serve.ui import theme, words
from chatloop.serve.ui.api import Gateway
from chatloop.serve.ui.chat import Chat
from chatloop.serve.ui.dashboard import Dashboard
from chatloop.serve.ui.door import Shield
from chatloop.serve.ui.models import Models

TITLE = "Chatloop"
_STATUS_INTERVAL_S = 5.0
_AT_ONCE = 32  # visitors whose answers may stream at the same time


def build_page(api_url: str | None = None, *, secret: bytes) -> gr.Blocks:
    """Return the page. `api_url` None: the API is at the address that each request reached."""
    gateway = Gateway(secret, api_url)
    browser_secret = hmac.new(secret, b"browser", hashlib.sha256).hexdigest()
    page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True)
    with page:
        session = gr.BrowserState(None, storage_key="chatloop-session", secret=browser_secret)
        with gr.Row(elem_classes="cl-top"):
            gr.HTML(f'<header class="cl-head"><h1>{TITLE}</h1></header>')
            status = gr.HTML(words.status_away("Looking for the API ..."), elem_id="status")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Chat", id="chat", elem_id="tab-chat") as chat_tab:
                Chat(gateway, session)
            with gr.Tab("Numbers", id="numbers", elem_id="tab-numbers") as numbers_tab:
                dashboard = Dashboard(gateway)
            with gr.Tab("Models", id="models", elem_id="tab-models") as models_tab:
                models = Models(gateway)
        dashboard.follow(numbers_tab, [chat_tab, models_tab])
        models.follow(models_tab)
        _watch(page, gateway, status)
    page.queue(default_concurrency_limit=_AT_ONCE, api_open=False)
    return page


def build_app(api_url: str | None = None, *, secret: bytes) -> ASGIApp:
    """Return the page as an ASGI app with its own start-up, ready to be served or mounted."""
    outer = FastAPI(openapi_url=None)
    gr.mount_gradio_app(
        outer,
        build_page(api_url, secret=secret),
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        theme=theme.theme(),
        css=theme.CSS,
        head=theme.HEAD,
    )
    return Shield(outer)


def _watch(page: gr.Blocks, gateway: Gateway, status: gr.HTML) -> None:
    def look(request: gr.Request) -> str:
        try:
            return words.status_line(gateway.client(request).health())
        except ApiError as error:
            return words.status_away(str(error))

    timer = gr.Timer(_STATUS_INTERVAL_S)
    gr.on(
        [page.load, timer.tick],
        look,
        None,
        status,
        api_visibility="private",
        show_progress="hidden",
    )
