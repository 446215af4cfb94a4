"""Fail when a Python file has over 300 lines or a function over 50: one idea a file."""

import ast
import subprocess
import sys
from pathlib import Path

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50


def main() -> int:
    """Look at every tracked or new Python file; returns the exit code."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "*.py"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    found = [line for name in names if Path(name).exists() for line in _too_large(Path(name))]
    for line in found:
        sys.stderr.write(line + "\n")
    return 1 if found else 0


def _too_large(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    lines = text.count("\n")
    found = [f"{path}: {lines} lines (at most {MAX_FILE_LINES})"] if lines > MAX_FILE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                found.append(f"{path}:{node.lineno}: {node.name} has {length} lines")
    return found


if __name__ == "__main__":
    sys.exit(main())
