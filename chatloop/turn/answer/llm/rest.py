"""Leaves a model alone for a while after an answer that makes asking again at once pointless.

For answers, not for silence: a key that is refused, a model that is not there, "come back in 20
seconds". Failures are the breaker's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from chatloop.core.errors import BackendFault


class Rest:
    """The reason and the end of one rest; instant, by an injected monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._fault: BackendFault | None = None
        self._ends_at = 0.0
        self.detail = ""

    @property
    def fault(self) -> BackendFault | None:
        """Why the model is left alone; None when it is not."""
        return self._fault if self._clock() < self._ends_at else None

    def begin(self, fault: BackendFault, detail: str, seconds: float) -> None:
        """Leave the model alone for so long from now on."""
        self._fault, self.detail = fault, detail
        self._ends_at = self._clock() + seconds
