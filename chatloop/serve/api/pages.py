"""What a browser sees besides the UI: /, the help pages, and the manual."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Annotated

import markdown
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from chatloop.serve.api.docs import errors
from chatloop.serve.api.problems import Problem
from chatloop.serve.api.state import State, state_of
from chatloop.turn.answer.content import HelpPassage

router = APIRouter(tags=["pages"])
Shared = Annotated[State, Depends(state_of)]
_CSS = (
    "body{font:17px/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1.2rem;"
    "color:#1c2733;background:#fff}h1{line-height:1.2}a{color:#0b63ce}code{background:#eef1f5;"
    "padding:.1em .3em;border-radius:4px}:target{background:#fff6d6;scroll-margin-top:1rem}"
    "@media(prefers-color-scheme:dark){body{background:#12161c;color:#dde4ec}a{color:#7db4ff}"
    "code{background:#232a33}:target{background:#3a3313}}"
)
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<circle cx="16" cy="16" r="11" fill="none" stroke="#6366f1" stroke-width="6" '
    'stroke-dasharray="52 17" stroke-linecap="round"/></svg>'
)
_STATIC = Path(__file__).parent / "static"
_LINK = re.compile(r"""(href|src)="(?!https?://|/|#)[^"]*\"""", re.IGNORECASE)


@router.get("/", include_in_schema=False)
async def root(request: Request, state: Shared) -> Response:
    """Send a browser to the UI; tell everybody else where things are."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/ui/", 307)
    base = str(request.base_url).rstrip("/")
    return JSONResponse(
        {
            "name": "Chatloop",
            "model_version": state.live.version,
            "ui": f"{base}/ui/",
            "manual": f"{base}/manual/",
            "docs": f"{base}/docs",
            "metrics": f"{base}/metrics",
            "try": f"curl {base}/chat -d 'prompt=How do I get a refund?'",
        }
    )


@router.get("/favicon.ico", include_in_schema=False)
async def favicon() -> Response:
    """Give the browser tab its sign."""
    return Response(_ICON, media_type="image/svg+xml")


@router.get("/help/{page}", response_class=HTMLResponse, responses=errors(404, 503))
async def help_page(page: str, state: Shared) -> HTMLResponse:
    """Show a help page as the current release holds it: what the bot quotes is what people read."""
    passages = [p for p in state.turn().ladder.content.passages if p.page == page]
    if not passages:
        raise Problem("not-found", "there is no such help page in the current release")
    sections = groupby(passages, key=lambda p: (p.heading, p.anchor))
    body = "".join(_section(*names, parts) for names, parts in sections)
    return HTMLResponse(_page(passages[0].title, body))


def _section(heading: str, anchor: str, parts: Iterable[HelpPassage]) -> str:
    """Show a section whole, however many passages it was cut into."""
    text = "\n\n".join(part.text for part in parts)
    # Raw HTML in a page is shown as text, and odd link schemes are dropped: pages are data.
    body = _LINK.sub("", markdown.markdown(html.escape(text, quote=False)))
    heading, anchor = html.escape(heading), html.escape(anchor)
    return f'<section id="{anchor}"><h2>{heading}</h2>{body}</section>'


def _page(title: str, body: str) -> str:
    name = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_CSS}</style><main><h1>{name}</h1>{body}</main></html>"
    )


def mount_docs(app: FastAPI) -> None:
    """Serve Swagger at /docs from our own copy: no request leaves the machine."""
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Chatloop API",
            swagger_js_url="/static/swagger-ui-bundle.js",
            swagger_css_url="/static/swagger-ui.css",
            swagger_favicon_url="/favicon.ico",
        )

    app.add_api_route("/docs", docs, include_in_schema=False)


def mount_manual(app: FastAPI, site: Path) -> None:
    """Serve the built manual at /manual; without one, a page that says how to build it."""
    if (site / "index.html").is_file():
        app.mount("/manual", StaticFiles(directory=site, html=True), name="manual")
        return

    async def missing() -> HTMLResponse:
        text = "<p>The manual is not built yet. Type <code>make docs</code>, then reload.</p>"
        return HTMLResponse(_page("Manual", text), 404)

    app.add_api_route("/manual", missing, include_in_schema=False)
    app.add_api_route("/manual/{path:path}", missing, include_in_schema=False)
