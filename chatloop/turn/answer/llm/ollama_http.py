"""The door to an Ollama server over HTTP: every foreign error becomes a BackendError here.

Knows addresses, sockets, limits and the one retry; knows nothing of models or conversations.
httpx by itself, because the official client cannot give the first token and the gaps limits of
their own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from chatloop.core.errors import BackendError, BackendFault, SettingsError
from chatloop.turn.answer.llm.breaker import BreakerLimits
from chatloop.turn.answer.llm.ollama_wire import is_runner_gone, refusal

ERROR_BODY_BYTES = 64 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaLimits:
    """Every limit of talking to one Ollama server.

    `first_token_timeout_s` holds for a loaded model; loading one has `load_timeout_s`, and no
    customer waits for it. `probe_timeout_s` is for the short questions (version, lists).
    """

    connect_timeout_s: float = 0.5
    first_token_timeout_s: float = 10.0
    load_timeout_s: float = 300.0
    gap_timeout_s: float = 10.0
    total_timeout_s: float = 60.0
    probe_interval_s: float = 5.0
    probe_timeout_s: float = 1.0
    in_flight: int = 1
    waiting: int = 16
    wait_timeout_s: float = 3.0
    line_limit_bytes: int = 1 << 20
    body_limit_bytes: int = 8 << 20
    breaker: BreakerLimits = field(default_factory=BreakerLimits)


class _PassingError(BackendError):
    """Failed before any byte of an answer, in a way that a second try may well not."""


class OllamaHttp:
    """One connection pool to one Ollama server."""

    def __init__(self, address: str, limits: OllamaLimits) -> None:
        url = _checked(address)
        self.address = str(url.copy_with(userinfo=b""))
        self.is_remote = not is_loopback(url.host)
        self._body_limit_bytes = limits.body_limit_bytes
        self._client = httpx.AsyncClient(
            base_url=url,
            trust_env=False,
            follow_redirects=False,
            verify=url.scheme == "https",  # plain http needs no certificate store (50 ms)
            headers={"Accept-Encoding": "identity"},
            timeout=httpx.Timeout(None, connect=limits.connect_timeout_s),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
        )

    async def aclose(self) -> None:
        """Close every socket."""
        await self._client.aclose()

    async def get(self, path: str, *, timeout_s: float) -> bytes:
        """Return the body of a 200 within `timeout_s`. Raises BackendError."""
        return await self._whole("GET", path, None, timeout_s)

    async def post(self, path: str, body: dict[str, Any], *, timeout_s: float) -> bytes:
        """Send JSON, return the body of a 200 within `timeout_s`. Raises BackendError."""
        return await self._whole("POST", path, body, timeout_s)

    async def open(self, path: str, body: dict[str, Any], *, until: float) -> httpx.Response:
        """Send JSON and return the response once its headers are here, body unread.

        `until`: loop time of the limit. Tries twice after a failed connect, a dropped re-used
        connection, or a model process that died. The caller closes. Raises BackendError.
        """

        async def send() -> httpx.Response:
            return await self._send("POST", path, body, until)

        return await _with_one_retry(send)

    async def _whole(
        self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float
    ) -> bytes:
        until = asyncio.get_running_loop().time() + timeout_s

        async def send() -> bytes:
            response = await self._send(method, path, body, until)
            try:
                return await _read_all(response, until=until, limit_bytes=self._body_limit_bytes)
            finally:
                await response.aclose()

        return await _with_one_retry(send)

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, until: float
    ) -> httpx.Response:
        connected_anew = False

        async def trace(event: str, _info: Any) -> None:
            nonlocal connected_anew
            connected_anew |= event == "connection.connect_tcp.started"

        content = None if body is None else json.dumps(body).encode("ascii")
        request = self._client.build_request(
            method,
            path,
            content=content,
            headers={"Content-Type": "application/json"} if content else None,
            extensions={"trace": trace},
        )
        try:
            async with asyncio.timeout_at(until):
                response = await self._client.send(request, stream=True)
        except (TimeoutError, httpx.HTTPError) as error:
            raise _translated(error, self.address, reused=not connected_anew) from error
        if response.status_code != 200:
            raise await _refused(response, until)
        return response


async def chunks(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield the raw bytes of a body as they come. Raises BackendError when it is cut."""
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.HTTPError as error:
        raise BackendError(BackendFault.UNREACHABLE, "Ollama's answer was cut off") from error


async def _with_one_retry(send: Callable[[], Awaitable[T]]) -> T:
    try:
        return await send()
    except _PassingError:
        return await send()


async def _read_all(response: httpx.Response, *, until: float, limit_bytes: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout_at(until):
            async for chunk in chunks(response):
                body += chunk
                if len(body) > limit_bytes:
                    raise BackendError(BackendFault.BAD_REPLY, "Ollama's answer is too long")
    except TimeoutError as error:
        raise BackendError(BackendFault.TIMEOUT, "Ollama did not finish its answer") from error
    return bytes(body)


async def _refused(response: httpx.Response, until: float) -> BackendError:
    """Close a response that is not 200 and return what it means."""
    try:
        body = await _read_all(response, until=until, limit_bytes=ERROR_BODY_BYTES)
    except BackendError:
        body = b""  # the status alone says enough
    finally:
        await response.aclose()
    fault = refusal(response.status_code, body)
    if is_runner_gone(response.status_code, body):
        return _PassingError(fault.fault, str(fault))
    return fault


def _translated(error: Exception, address: str, *, reused: bool) -> BackendError:
    if isinstance(error, httpx.ConnectError):
        return _PassingError(BackendFault.UNREACHABLE, f"no server answers at {address}")
    if isinstance(error, httpx.ConnectTimeout):  # its budget is spent, so no second try
        return BackendError(BackendFault.UNREACHABLE, f"connecting to {address} took too long")
    if isinstance(error, TimeoutError):
        return BackendError(
            BackendFault.TIMEOUT, f"the server at {address} kept silent for too long"
        )
    kind = _PassingError if reused else BackendError
    return kind(BackendFault.UNREACHABLE, f"Ollama hung up ({type(error).__name__})")


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address) is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise SettingsError(f"OLLAMA_API_URL: {address!r} is no address ({error})") from error
    if url.scheme not in ("http", "https") or not url.host or (url.port or 0) > 65535:
        raise SettingsError(
            f"OLLAMA_API_URL: {address!r} is no address; it looks like http://127.0.0.1:11434"
        )
    return url
