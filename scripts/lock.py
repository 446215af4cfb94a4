"""Renew requirements.txt and requirements-dev.txt from pyproject.toml, and check them.

Exact pins with hashes, no index address. Checked: wheels resolve for Linux, macOS and Windows on
Python 3.11 to 3.14 (macOS from version 14) without building anything.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

UV = Path(".venv") / ("Scripts" if sys.platform == "win32" else "bin") / "uv"
COMMON = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header"]
COMMON += ["--no-annotate", "--no-emit-index-url", "-q", "pyproject.toml"]
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
MACOS = "14.0"
"""The oldest macOS that the FAISS wheels are built for."""

VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def main() -> int:
    """Write both files, check every platform; returns the exit code."""
    _compile("-o", "requirements.txt")
    _compile("--extra", "dev", "-c", "requirements.txt", "-o", "requirements-dev.txt")
    wrong = [f"{p} {v}" for p in PLATFORMS for v in VERSIONS if not _resolves(p, v)]
    for one in wrong:
        sys.stderr.write(f"no wheels for {one}\n")
    return 1 if wrong else 0


def _compile(*arguments: str) -> None:
    subprocess.run([UV, "pip", "compile", *COMMON, *arguments], check=True)


def _resolves(platform: str, version: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        command = [UV, "pip", "install", "--dry-run", "-q", "--only-binary", ":all:"]
        command += ["--python-platform", platform, "--python-version", version]
        command += ["--target", folder, "--no-deps", "-r", "requirements.txt"]
        environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": MACOS}
        return subprocess.run(command, check=False, env=environment).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
