"""One `[[models]]` table of config.toml: which language model, where, its price and its limits.

Looks at the environment for one thing only, the API key: a key never stands in a file. Knows no
network; whether the address leads anywhere is learnt later.
"""

from __future__ import annotations

import ipaddress
import os
import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

NO_LLM, AUTO_LLM = "none", "auto"
Seconds = Annotated[float, Field(gt=0.0, le=3600.0)]
Price = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Word = Annotated[str, Field(pattern=r"^\S{1,100}$")]

_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


class Provider(StrEnum):
    """What kind of server speaks for a model."""

    OLLAMA = "ollama"
    OPENAI = "openai"


def ollama_root(url: object) -> str:
    """Normalise what people paste to the root address of an Ollama server.

    Trims, adds `http://` and port 11434 where absent, drops a trailing `/api` or `/v1`, and
    maps the listen-everywhere addresses to loopback.
    """
    if not isinstance(url, str):
        raise ValueError("an address is a text such as http://127.0.0.1:11434")  # noqa: TRY004
    url = url.strip().rstrip("/")
    if "://" not in url:
        host, _, path = url.partition("/")
        port = "" if host.rpartition(":")[2].isdigit() else ":11434"
        url = f"http://{host}{port}" + (f"/{path}" if path else "")
    for suffix in ("/api", "/v1"):
        url = url.removesuffix(suffix)
    return url.replace("//0.0.0.0", "//127.0.0.1").replace("//[::]", "//127.0.0.1").rstrip("/")


def openai_base(url: str) -> str:
    """Normalise what people paste to the base address of an OpenAI-compatible API.

    Trims, drops a pasted `/chat/completions`, and adds `/v1` where there is no path at all.
    """
    url = url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")
    return url if urlsplit(url).path else f"{url}/v1"


def is_near(address: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class ModelSettings(BaseModel):
    """One language model. Listed in docs/reference/language-models.md (a test compares)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Word = Field(description="Name that replies show, after `llm/`; each one once.")
    provider: Provider = Field(
        Provider.OLLAMA, description="`ollama`, or `openai` for every OpenAI-compatible API."
    )
    model: Word | None = Field(None, description="The server's name for it; default: `name`.")
    address: str | None = Field(
        None, description="Base address; for `ollama` by default `ollama_api_url`."
    )
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(
        None, description="Environment variable that holds the API key (`openai` only)."
    )
    context_tokens: int | None = Field(
        None,
        ge=512,
        le=100_000_000,
        description="Its window; default: what Ollama says, 8192 for `openai`.",
    )
    price_in: Price = Field(0.0, description="Price of a million tokens of prompt.")
    price_out: Price = Field(0.0, description="Price of a million tokens of answer.")
    strengths: tuple[Word, ...] = Field(
        (), description="What it is good at: `short`, `long`, names of intents or of their groups."
    )
    connect_timeout_s: Seconds | None = Field(None, description="In place of the setting.")
    first_token_timeout_s: Seconds | None = Field(None, description="In place of the setting.")
    load_timeout_s: Seconds | None = Field(None, description="In place of the setting.")
    gap_timeout_s: Seconds | None = Field(None, description="In place of the setting.")
    total_timeout_s: Seconds | None = Field(None, description="In place of the setting.")
    in_flight: int | None = Field(
        None, ge=1, le=1024, description="In place of the setting `llm_in_flight`."
    )
    _key: SecretStr | None = PrivateAttr(None)

    @property
    def key(self) -> SecretStr | None:
        """The API key; None when none is configured, or its variable is empty or absent."""
        return self._key

    @model_validator(mode="after")
    def _check(self) -> ModelSettings:
        is_openai = self.provider is Provider.OPENAI
        if is_openai and self.address is None:
            raise ValueError("`address` is missing, such as http://127.0.0.1:8001/v1")
        if is_openai and AUTO_LLM in (self.model or self.name,):
            raise ValueError("`model` is missing: only `ollama` can choose one by itself")
        if self.key_env and not is_openai:
            raise ValueError('`key_env` is for provider = "openai" only')
        if self.address is not None:
            normalise = openai_base if is_openai else ollama_root
            # pydantic's own way of changing a frozen value while it is being made
            object.__setattr__(self, "address", _checked(normalise(self.address)))
        self._key = _read_key(self.key_env)
        return self


def _checked(address: str) -> str:
    """Return an address that leads somewhere. Raises ValueError that does not repeat it."""
    try:
        parts = urlsplit(address)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError("`address` is no address; it looks like https://api.example.com/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("`address` holds a password, `?` or `#`; a key goes into `key_env`")
    return address


def _read_key(variable: str | None) -> SecretStr | None:
    key = os.environ.get(variable, "").strip() if variable else ""
    if not key:
        return None
    if not _KEY.fullmatch(key):
        raise ValueError(f"the variable {variable} holds blanks or characters no key has")
    return SecretStr(key)
