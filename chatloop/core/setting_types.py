"""Kinds of settings with a rule of their own: lists of names, webhook addresses, shared secrets.

Each rule is one line to the person who broke it. Plain numbers and words need none.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from chatloop.core.llm_settings import is_near

_MIN_SECRET_CHARS = 16


def _names(given: Any) -> Any:
    """Take `a, b` as well as a list."""
    if isinstance(given, str):
        return [name.strip() for name in given.split(",") if name.strip()]
    return given


def _webhook_url(url: str) -> str:
    """Refuse an address whose way others could read, or that holds a password."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_near(url)):
        raise ValueError("must begin with https:// (http:// on this machine only)")
    if not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError("must be an address without a user name and without `#`")
    return url


def _shared_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _MIN_SECRET_CHARS:
        raise ValueError(f"must have at least {_MIN_SECRET_CHARS} characters")
    return secret


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
WebhookUrl = Annotated[str, AfterValidator(_webhook_url)]
SharedSecret = Annotated[SecretStr, AfterValidator(_shared_secret)]
