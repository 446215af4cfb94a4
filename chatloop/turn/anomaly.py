"""The stateless anomaly rules: low confidence, suspicious tokens, long prompt.

They flag, they never block: a flag is a reason for a person to look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LOW_CONFIDENCE = "low_confidence"
SUSPICIOUS_TOKENS = "suspicious_tokens"
LONG_PROMPT = "long_prompt"

_SUSPICIOUS = re.compile(
    r"<\s*/?\s*(?:script|iframe|object|embed|svg|img)\b"  # markup that runs
    r"|javascript\s*:|\bon(?:error|load|click)\s*="
    r"|\b(?:union\s+(?:all\s+)?select|drop\s+table|insert\s+into|or\s+1\s*=\s*1)\b"  # SQL
    r"|\.\./\.\./|/etc/passwd|\$\{jndi:|\{\{.{0,80}?\}\}"  # paths, templates
    r"|\bignore\s+(?:all\s+|any\s+|the\s+|your\s+)?(?:previous|prior|above|earlier)\b"
    r"|\b(?:system\s+prompt|developer\s+mode|jailbreak)\b|<\|[a-z_]{1,20}\|>",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AnomalyRules:
    """The thresholds of the rules: characters for length, [0, 1] for confidence."""

    long_prompt_chars: int
    low_confidence: float

    def check(self, text: str, confidence: float | None) -> tuple[str, ...]:
        """Return the names of the rules that `text` breaks; no confidence, no such rule."""
        reasons = []
        if confidence is not None and confidence < self.low_confidence:
            reasons.append(LOW_CONFIDENCE)
        if _SUSPICIOUS.search(text):
            reasons.append(SUSPICIOUS_TOKENS)
        if len(text) >= self.long_prompt_chars:
            reasons.append(LONG_PROMPT)
        return tuple(reasons)
