"""The one Settings: arguments, then environment, then config.toml, then defaults.

Read once, in the entry point, by `load_settings`; nothing else looks at the environment.
Unknown keys, unknown CHATLOOP_* variables and a missing named file are errors.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from chatloop.core.errors import SettingsError
from chatloop.core.llm_settings import (
    AUTO_LLM,
    NO_LLM,
    ModelSettings,
    Seconds,
    is_near,
    ollama_root,
)
from chatloop.core.setting_faults import in_one_line, nearest
from chatloop.core.setting_types import Names, SharedSecret, WebhookUrl

PREFIX = "CHATLOOP_"
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
_SECRETS = ("secret", "database_url", "webhook_secret")


class Settings(BaseSettings):
    """Every knob of the house. Each is listed in docs/reference/settings.md (a test compares)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True
    )

    home: Path = Field(Path(), description="Folder that holds data/, models/ and logs/.")
    host: str = Field("127.0.0.1", description="Address that our own entry points bind to.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the HTTP API.")
    ui_port: int = Field(7860, ge=1, le=65535, description="Port of the stand-alone UI.")
    secret: SecretStr | None = Field(
        None, description="Signs turn ids and makes pseudonyms; default: data/secret.key."
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="Store of feedback and jobs; default: SQLite in data/chatloop.db.",
    )

    ollama_api_url: Annotated[str, BeforeValidator(ollama_root)] = Field(
        "http://127.0.0.1:11434",
        validation_alias=AliasChoices("OLLAMA_API_URL", "OLLAMA_HOST", "ollama_api_url"),
        description="Root address of the Ollama server.",
    )
    llm: str = Field(
        "auto", description="Model name, `auto` (first that can chat) or `none` (never ask one)."
    )
    llm_preload: bool = Field(True, description="Have Ollama load the model at the start.")
    models: tuple[ModelSettings, ...] = Field(
        (), description="Several models: one `[[models]]` table each; `llm` may name one of them."
    )
    llm_allow_cloud: bool = Field(
        False, description="Allow Ollama models that run on somebody else's machine."
    )
    llm_model_allowed: bool = Field(
        True, description="Whether a call may name the language model that words its answer."
    )
    connect_timeout_s: Seconds | None = Field(
        None, description="Limit to connect; default 0.5 on loopback, 2 elsewhere."
    )
    first_token_timeout_s: Seconds = Field(
        10.0, description="Limit to the first token on a loaded model."
    )
    load_timeout_s: Seconds = Field(300.0, description="Limit for loading a model.")
    gap_timeout_s: Seconds = Field(10.0, description="Limit between two pieces of an answer.")
    total_timeout_s: Seconds = Field(60.0, description="Limit for a whole generated answer.")
    llm_in_flight: int = Field(1, ge=1, le=1024, description="Calls at once to one model.")
    llm_waiting: int = Field(16, ge=0, le=10_000, description="Calls that may wait for a model.")
    llm_wait_timeout_s: Seconds = Field(3.0, description="Longest wait for a free model.")
    llm_probe_interval_s: Seconds = Field(5.0, description="How often the server is looked at.")
    answer_max_tokens: int = Field(400, ge=16, le=8192, description="Longest generated answer.")

    experiment: str = Field("default", description="Name that seeds the traffic split.")
    ab_prob: Probability = Field(0.0, description="Share of units whose messages go to the LLM.")
    explore: Probability = Field(
        0.0, description="Share of sure local turns sent to the LLM all the same, by turn."
    )
    target_error: Probability = Field(
        0.05, description="Largest wanted share of wrong answers among those given locally."
    )

    delta: Probability = Field(
        0.10, description="Chance that a certificate breaks its promise, at most."
    )
    min_oos_share: Probability = Field(
        0.20, description="Least share of out-of-scope rows that a certificate is tested on."
    )

    memory_sessions: int = Field(
        10_000, ge=0, description="Conversations remembered at most, in memory only."
    )
    memory_idle_s: Seconds = Field(
        1800.0, description="Time after which a conversation is forgotten."
    )
    prompt_limit_chars: int = Field(2000, ge=1, le=100_000, description="Longest message.")
    long_prompt_chars: int = Field(
        800, ge=1, description="From this length a message is flagged as long."
    )
    low_confidence: Probability = Field(
        0.35, description="Below this confidence a turn is flagged."
    )

    hand_over_after: int = Field(
        2, ge=1, le=100, description="Unsure replies in a row before a person takes over."
    )
    hand_over_intents: Names = Field(
        (), description="Intents that always go to a person, with commas between."
    )
    webhook_url: WebhookUrl | None = Field(
        None, description="Where tickets are sent: https, or http on this machine."
    )
    webhook_secret: SharedSecret | None = Field(
        None, description="Signs what is sent there; needed with webhook_url."
    )

    log_rotate_bytes: int = Field(
        64_000_000, ge=10_000, description="Size at which the chat log is rotated."
    )
    log_keep_files: int = Field(20, ge=1, description="Rotated chat logs that are kept.")

    seed: int = Field(7, ge=0, description="Seed of every random choice in data and training.")
    recipe: Literal["default", "thorough"] = Field(
        "default", description="Training recipe; thorough takes about three times as long."
    )
    regression_margin: Probability = Field(
        0.01, description="Largest loss of test accuracy that a retrain may bring."
    )
    retrain_timeout_s: Seconds = Field(600.0, description="Limit for one retraining job.")
    new_intent_examples: int = Field(
        5, ge=1, description="Accepted examples that a proposed intent needs to join training."
    )

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("webhook_url needs a webhook_secret: what is sent there is signed")
        return self

    @property
    def data_dir(self) -> Path:
        """Inputs, store and secret."""
        return self.home / "data"

    @property
    def models_dir(self) -> Path:
        """Releases and the pointer to the current one."""
        return self.home / "models"

    @property
    def logs_dir(self) -> Path:
        """Telemetry and what is derived from it."""
        return self.home / "logs"

    @property
    def chat_log(self) -> Path:
        """The telemetry file: one JSON line a turn."""
        return self.logs_dir / "chat_metrics.log"

    def revealed(self) -> str:
        """Return all values as JSON, secrets in the clear: only for a child process's pipe."""
        values = self.model_dump(mode="json", exclude=set(_SECRETS))
        for name in _SECRETS:
            hidden = getattr(self, name)
            values[name] = hidden.get_secret_value() if hidden else None
        return json.dumps(values)

    @property
    def store_url(self) -> str:
        """SQLAlchemy address of the store."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'chatloop.db').resolve()}"

    @property
    def connect_limit_s(self) -> float:
        """Seconds allowed to connect to the LLM server."""
        return self.connect_limit_for(self.ollama_api_url)

    def connect_limit_for(self, address: str) -> float:
        """Seconds allowed to connect to a server at `address`."""
        return self.connect_timeout_s or (0.5 if is_near(address) else 2.0)

    @property
    def used_models(self) -> tuple[ModelSettings, ...]:
        """The `[[models]]` that are asked: all of them, or the one that `llm` names."""
        return tuple(m for m in self.models if self.llm in (AUTO_LLM, m.name))

    @model_validator(mode="after")
    def _check_models(self) -> Settings:
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"models: the name `{twice}` is there twice")
        if names and self.llm not in (AUTO_LLM, NO_LLM, *names):
            raise ValueError(f"llm: with [[models]] it may be auto, none, {', '.join(names)}")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library names the arguments
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment; no hidden .env file is read."""
        return (init_settings, env_settings)


def load_settings(*, config: Path | None = None, **arguments: Any) -> Settings:
    """Build the Settings from arguments, environment and `config.toml` (or `config`).

    Raises SettingsError with one line that names each wrong setting and what it may be.
    """
    values = _from_file(config)
    _refuse_unknown_variables(os.environ)
    in_environment = {
        name for name in Settings.model_fields if any(v in os.environ for v in _variables(name))
    }
    values = {k: v for k, v in values.items() if k not in in_environment}
    given = {k: v for k, v in arguments.items() if v is not None}
    try:
        return Settings(**{**values, **given})
    except ValidationError as error:
        raise SettingsError(in_one_line(error, Settings.model_fields)) from error
    except UnreadableVariable as error:
        raise SettingsError(
            'CHATLOOP_MODELS: no JSON; it looks like [{"name": "llama3.2"}, {"name": "qwen3"}]'
        ) from error


def _variables(name: str) -> tuple[str, ...]:
    other = {"ollama_api_url": ("OLLAMA_API_URL", "OLLAMA_HOST"), "database_url": ("DATABASE_URL",)}
    return other.get(name, (PREFIX + name.upper(),))


def _from_file(config: Path | None) -> dict[str, Any]:
    path = config or Path(os.environ.get(PREFIX + "CONFIG", "config.toml"))
    named = config is not None or PREFIX + "CONFIG" in os.environ
    if not path.exists():
        if named:
            raise SettingsError(f"{path}: this settings file does not exist")
        return {}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path}: not a readable TOML file ({error})") from error
    for key in values:
        if key not in Settings.model_fields:
            raise SettingsError(
                f"{path}: unknown setting `{key}`{nearest(key, Settings.model_fields)}"
            )
    return values


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    for variable in environment:
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name != "config" and name not in Settings.model_fields:
            raise SettingsError(
                f"{variable}: unknown setting{nearest(name, Settings.model_fields)}"
            )
