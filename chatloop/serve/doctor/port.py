"""The check `port`: is it free, or does our own server answer there, or who has it.

Who has it is known on Linux only, from /proc.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from chatloop.core.errors import SettingsError
from chatloop.core.settings import Settings
from chatloop.serve.doctor.base import Finding, fail, ok
from chatloop.serve.ready import need_free_port

OTHER = "CHATLOOP_PORT=8010 (or make run PORT=8010)"
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_LISTENING = "0A"
_ANSWER_LIMIT_S = 2.0


def check(settings: Settings) -> Iterator[Finding]:
    """Look at the port of our own server."""
    host, port = settings.host, settings.port
    try:
        need_free_port(host, port, OTHER)
    except SettingsError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno != errno.EADDRINUSE:
            found = f"{port} on {host} cannot be used ({cause.strerror})"
            yield fail("port", found, f"{OTHER}, or CHATLOOP_HOST=127.0.0.1")
        elif release := _our_release(_LOOPBACK.get(host, host), port):
            yield ok("port", f"{port} on {host}: our server answers (release {release})")
        else:
            found = f"{port} on {host} is taken by {_listener(port)}"
            yield fail("port", found, f"stop it, or {OTHER}")
    else:
        yield ok("port", f"{port} on {host} is free (no server runs)")


def _our_release(host: str, port: int) -> str | None:
    """Return what our server says it serves; None when it is not ours or does not answer."""
    connection = HTTPConnection(host, port, timeout=_ANSWER_LIMIT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().getheader("X-Chatloop-Model-Version")
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _listener(port: int) -> str:
    """Name the process that listens at `port`, as far as the system tells us."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(descriptor.readlink()) in sockets:
                process = descriptor.parents[1]
                name = (process / "comm").read_text("utf-8").strip()
                return f"{name} (pid {process.name}), which is not our server or hangs"
    return "a program that is not our server or hangs"


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text("utf-8").splitlines()[1:]:
                cells = line.split()
                if cells[3] == _LISTENING and re.search(rf":{port:04X}$", cells[1]):
                    found.add(cells[9])
    return found
