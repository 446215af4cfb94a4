"""The one error tree. A message says what happened, where, and what to type next.

    ChatloopError
    +-- SettingsError    a setting is unknown, missing or out of range
    +-- DataError        a data file cannot be used as it is
    +-- ReleaseError     a release is absent, broken or refused
    +-- StoreError       the store cannot be read or written now
    +-- ApiError         our own HTTP API, called as a client, refused or was away
    +-- BackendError     a language model did not give a usable answer

Outcomes (blocked, unsure, fell back, gate refused) are values, not errors.
"""

from __future__ import annotations

from enum import StrEnum


class ChatloopError(Exception):
    """Root of every error that this project raises on purpose."""


class SettingsError(ChatloopError):
    """A setting is unknown, missing or out of range."""


class DataError(ChatloopError):
    """A data file cannot be used; the message names the file and, where known, the row."""


class ReleaseError(ChatloopError):
    """A model release is absent, broken or refused."""


class StoreError(ChatloopError):
    """The store cannot be read or written now; nothing was half-written."""


class ApiError(ChatloopError):
    """The HTTP API refused a call of one of our own clients, or was not there."""


class BackendFault(StrEnum):
    """Why a language model gave no usable answer. The value is the reason code in the log."""

    UNREACHABLE = "llm_unreachable"
    TIMEOUT = "llm_timeout"
    BUSY = "llm_busy"
    BAD_REPLY = "llm_bad_reply"
    MODEL_MISSING = "llm_model_missing"
    NO_MODEL = "llm_no_model"
    LOADING = "llm_loading"
    BREAKER_OPEN = "llm_breaker_open"
    INTERRUPTED = "llm_interrupted"
    REJECTED = "llm_rejected_request"
    NO_KEY = "llm_no_key"
    BAD_KEY = "llm_bad_key"


class BackendError(ChatloopError):
    """A language model did not answer.

    `fault` is the reason code; the message is for the operator and holds no user text.
    """

    def __init__(self, fault: BackendFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
