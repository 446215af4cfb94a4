"""The door to a model's server over HTTP: every foreign error becomes a BackendError here.

Knows addresses, keys, sockets, limits and the one retry; knows nothing of models or
conversations. httpx by itself, because the official clients cannot give the first token and the
gaps limits of their own.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import httpx

from chatloop.core.errors import BackendError, BackendFault, SettingsError
from chatloop.core.llm_settings import is_near
from chatloop.turn.answer.llm.limits import LlmLimits
from chatloop.turn.answer.llm.wire import HttpError

ERROR_BODY_BYTES = 64 * 1024
RETRY_JITTER_S = 0.1
"""A second try comes after up to this: those that failed together do not come back together."""
T = TypeVar("T")


class LlmHttp:
    """One connection pool to one server.

    `refusal` says what a status other than 200 with its body means. `key` goes along as a bearer
    token, and is taken out of every message.
    """

    def __init__(
        self,
        address: str,
        limits: LlmLimits,
        *,
        refusal: Callable[[int, bytes], HttpError],
        key: str | None = None,
    ) -> None:
        url = _checked(address)
        self.address = str(url.copy_with(userinfo=b""))
        self.is_remote = not is_near(self.address)
        self._body_limit_bytes = limits.body_limit_bytes
        self._refusal = refusal
        self._key = key
        self._client = httpx.AsyncClient(
            base_url=url,
            trust_env=False,
            follow_redirects=False,
            verify=url.scheme == "https",  # plain http needs no certificate store (50 ms)
            headers={"Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {key}"} if key else {}),
            timeout=httpx.Timeout(None, connect=limits.connect_timeout_s),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
        )

    async def aclose(self) -> None:
        """Close every socket."""
        await self._client.aclose()

    def scrub(self, text: str) -> str:
        """Return `text` without the key, should the server have repeated it."""
        return text.replace(self._key, "***") if self._key else text

    async def get(self, path: str, *, timeout_s: float) -> bytes:
        """Return the body of a 200 within `timeout_s`. Raises BackendError."""
        return await self._whole("GET", path, None, timeout_s)

    async def post(self, path: str, body: dict[str, Any], *, timeout_s: float) -> bytes:
        """Send JSON, return the body of a 200 within `timeout_s`. Raises BackendError."""
        return await self._whole("POST", path, body, timeout_s)

    async def touch(self, path: str, *, timeout_s: float) -> None:
        """Return when a GET is answered with 200; its body is left unread. Raises BackendError."""
        until = asyncio.get_running_loop().time() + timeout_s

        async def send() -> httpx.Response:
            return await self._send("GET", path, None, until)

        await (await _with_one_retry(send)).aclose()

    async def open(self, path: str, body: dict[str, Any], *, until: float) -> httpx.Response:
        """Send JSON and return the response once its headers are here, body unread.

        `until`: loop time of the limit. Tries twice after a failed connect, a dropped re-used
        connection, or a refusal that says it will pass. The caller closes. Raises BackendError.
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
            raise await self._refused(response, until)
        return response

    async def _refused(self, response: httpx.Response, until: float) -> HttpError:
        """Close a response that is not 200 and return what it means."""
        try:
            body = await _read_all(response, until=until, limit_bytes=ERROR_BODY_BYTES)
        except BackendError:
            body = b""  # the status alone says enough
        finally:
            await response.aclose()
        if self._key:
            body = body.replace(self._key.encode("ascii"), b"***")
        error = self._refusal(response.status_code, body)
        error.retry_after_s = seconds_to_wait(response.headers.get("retry-after", ""))
        return error


async def chunks(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield the raw bytes of a body as they come. Raises BackendError when it is cut."""
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.HTTPError as error:
        raise BackendError(BackendFault.UNREACHABLE, "the server's answer was cut off") from error


def seconds_to_wait(header: str) -> float:
    """Return what a Retry-After header asks for, in seconds from now; 0 when it asks nothing."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        then = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, then.timestamp() - time.time())


async def _with_one_retry(send: Callable[[], Awaitable[T]]) -> T:
    try:
        return await send()
    except HttpError as error:
        if not error.passing:
            raise
    await asyncio.sleep(random.uniform(0, RETRY_JITTER_S))
    return await send()


async def _read_all(response: httpx.Response, *, until: float, limit_bytes: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout_at(until):
            async for chunk in chunks(response):
                body += chunk
                if len(body) > limit_bytes:
                    raise BackendError(BackendFault.BAD_REPLY, "the server's answer is too long")
    except TimeoutError as error:
        raise BackendError(BackendFault.TIMEOUT, "the server did not finish its answer") from error
    return bytes(body)


def _translated(error: Exception, address: str, *, reused: bool) -> BackendError:
    away = BackendFault.UNREACHABLE
    if isinstance(error, httpx.ConnectError):
        return HttpError(away, f"no server answers at {address}", passing=True)
    if isinstance(error, httpx.ConnectTimeout):  # its budget is spent, so no second try
        return HttpError(away, f"connecting to {address} took too long")
    if isinstance(error, TimeoutError):
        return HttpError(BackendFault.TIMEOUT, f"the server at {address} kept silent for too long")
    name = type(error).__name__
    return HttpError(away, f"the server at {address} hung up ({name})", passing=reused)


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
