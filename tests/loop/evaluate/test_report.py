from __future__ import annotations

import json

from chatloop.loop.evaluate.report import terminal_report
from chatloop.loop.register.build import METADATA


def test_the_report_shows_each_figure_with_its_interval_and_n(release):
    metadata = json.loads(release.read(METADATA))
    text = "\n".join(terminal_report(metadata, (2, 2)))
    assert release.version in text
    assert "60 fit, 15 calibrate, 15 test rows; 4 intents" in text
    assert "2 of 2 phrases right" in text
    assert text.count("n = ") >= 4
    assert "threshold     0.600 (not_enough_data)" in text
    assert metadata["promise"] in text


def test_the_weakest_intents_come_first_and_the_untested_are_named(release):
    def share(value: float, n: int) -> dict[str, float]:
        return {"value": value, "low": 0.0, "high": 1.0, "n": n}

    recall = {f"i{k}": share(k / 10, 10) for k in range(10)} | {"few": share(0.0, 3)}
    metadata = json.loads(release.read(METADATA)) | {"recall": recall}
    lines = [line.split() for line in terminal_report(metadata, (0, 0))]
    weakest = [line[1] for line in lines if line[:1] == ["weakest"]]
    assert weakest == [f"i{k}" for k in range(8)]
    assert [line[-1] for line in lines if line[:1] == ["untested"]] == ["few"]
