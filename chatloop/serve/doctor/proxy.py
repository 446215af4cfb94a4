"""The check `proxy`: does a proxy variable stand between other programs and the local servers.

Our own calls never go through a proxy, but curl and the official Ollama client would.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from chatloop.core.settings import Settings
from chatloop.serve.doctor.base import Finding, ok, warn

VARIABLES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def check(settings: Settings, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look at the proxy variables; their values are not shown, they may hold a password."""
    given = [name for name in VARIABLES if environment.get(name)]
    host = urlsplit(settings.ollama_api_url).hostname or ""
    past = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if not given:
        yield ok("proxy", "no proxy variable is set")
    elif proxy_bypass_environment(host, {"no": past}):
        yield ok("proxy", f"{given[0]} is set, NO_PROXY leaves {host} out")
    else:
        found = f"{given[0]} is set: we ignore it and go straight to {host}, other programs do not"
        yield warn("proxy", found, f"export NO_PROXY={host},localhost,127.0.0.1")
