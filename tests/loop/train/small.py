"""A small synthetic set of support messages for the tests of training."""

from __future__ import annotations

from itertools import product

_WAYS = ("how do i {}", "please {}", "i want to {} now", "can you {} for me", "{} today")
_ASKS = {
    "cancel_plan": ("cancel my plan", "end the subscription", "stop my plan"),
    "get_invoice": ("see my invoice", "download the bill", "get last month's invoice"),
    "reset_password": ("reset my password", "change the password", "get a new passcode"),
    "oos": ("cook rice", "name the tallest mountain", "sing a song"),
}

ODD_TEXTS = (
    "",
    "   ",
    "!!! ... ???",
    "a",
    "🙂🙂 reset 🙂",
    "пароль забыт",
    "密码重置",
    "ΟΔΟΣ ΣΑΣ",
    "İstanbul reset",
    "reset\u00a0my\tpassword\u2003please\x1cnow",
    "password " * 200,
    "invoice" * 300,
    "don't re-set o'neil's pass_word",
    "rest my pasword",
)


def rows(*intents: str) -> tuple[list[str], list[str]]:
    """Return texts and labels of these intents, or of all."""
    pairs = [
        (way.format(ask), intent)
        for intent, asks in _ASKS.items()
        if not intents or intent in intents
        for way, ask in product(_WAYS, asks)
    ]
    return [text for text, _ in pairs], [label for _, label in pairs]
