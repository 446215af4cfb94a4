"""Serve the page for people on its own port; it talks to the API at CHATLOOP_HOST and _PORT."""

from __future__ import annotations

import argparse
import socket
import sys

from uvicorn import Config, Server

from chatloop.core.errors import ChatloopError
from chatloop.core.ids import load_secret
from chatloop.core.settings import load_settings


def main() -> None:
    """Run until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, dest="ui_port", help="port of the page (7860)")
    parser.add_argument("--api-url", help="address of the API (http://127.0.0.1:8000)")
    given = parser.parse_args()
    try:
        settings = load_settings(ui_port=given.ui_port)
        key = settings.secret.get_secret_value() if settings.secret else None
        secret = load_secret(settings.data_dir, key)
        listener = socket.create_server((settings.host, settings.ui_port))
    except ChatloopError as error:
        sys.exit(f"gradio_app: {error}")
    except OSError as error:
        sys.exit(f"gradio_app: {error}; use another port: python gradio_app.py --port 7861")
    from chatloop.serve.ui.page import build_app

    near = settings.host.replace("0.0.0.0", "127.0.0.1")  # not an address to call
    app = build_app(given.api_url or f"http://{near}:{settings.port}", secret=secret)
    print(f"The page is at http://{near}:{settings.ui_port}", flush=True)  # noqa: T201
    Server(Config(app, log_level="warning", timeout_graceful_shutdown=2)).run(sockets=[listener])


if __name__ == "__main__":
    main()
