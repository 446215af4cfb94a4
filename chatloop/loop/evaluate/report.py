"""The report that a person reads on the terminal after training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORST_SHOWN = 8
_MIN_TEST_ROWS = 4


def terminal_report(metadata: Mapping[str, Any], golden: tuple[int, int]) -> list[str]:
    """Return the lines of the report. `golden`: (right, all)."""
    test, rows = metadata["test"], metadata["rows"]
    return [
        "",
        f"release {metadata['version']}  ({metadata['created_at']})",
        f"  data          {rows['fit']} fit, {rows['calibrate']} calibrate, {rows['test']} test "
        f"rows; {metadata['intents']} intents; fingerprint {metadata['data_fingerprint']}",
        f"  training      {metadata['train_cpu_s']} CPU seconds, temperature "
        f"{metadata['temperature']:.3f}",
        f"  accuracy      {_share(test['accuracy'])}",
        f"  in scope      {_share(test['accuracy_in_scope'])}",
        f"  out of scope  {_share(test['oos_recall'])} recognised",
        f"  macro F1      {_share(test['macro_f1'])}",
        f"  calibration   ECE {test['ece']:.3f} over {test['accuracy']['n']} rows",
        f"  threshold     {metadata['threshold']:.3f} ({metadata['threshold_state']})",
        f"  promise       {metadata['promise']}",
        f"  golden        {golden[0]} of {golden[1]} phrases right",
        *_weakest(metadata["recall"]),
        "",
    ]


def _share(share: Mapping[str, Any]) -> str:
    value, low, high = (100 * share[key] for key in ("value", "low", "high"))
    return f"{value:5.1f} %  [{low:.1f}, {high:.1f}]  n = {share['n']}"


def _weakest(recall: Mapping[str, Mapping[str, Any]]) -> list[str]:
    tested = {k: v for k, v in recall.items() if v["n"] >= _MIN_TEST_ROWS}
    worst = sorted(tested, key=lambda k: (tested[k]["value"], k))[:_WORST_SHOWN]
    lines = [f"  weakest       {k:<26} {_share(tested[k])}" for k in worst]
    untested = sorted(set(recall) - set(tested))
    if untested:
        lines.append(
            f"  untested      (fewer than {_MIN_TEST_ROWS} test rows) {', '.join(untested)}"
        )
    return lines
