"""Make .venv and install one of the hashed requirement files into it, once.

Runs on the machine's own Python with the standard library only. Uses uv when it can be had, pip
otherwise. A stamp keyed on the file's hash makes a second call do nothing.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

VENV = Path(".venv")
BIN = VENV / ("Scripts" if sys.platform == "win32" else "bin")
PYTHON = BIN / "python"


def main():
    """Set up for the file given as argument; returns the exit code."""
    if sys.version_info < (3, 11):
        found = "{}.{}".format(*sys.version_info[:2])
        sys.stderr.write(
            "Chatloop needs Python 3.11 or newer, this is %s: "
            "install one and type `make run PYTHON=python3.11`\n" % found
        )
        return 1
    requirements = Path(sys.argv[1])
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    stamp = VENV / (".done-" + requirements.stem + "-" + digest)
    if stamp.exists() or (requirements.stem == "requirements" and _has_more(requirements)):
        return 0
    if not PYTHON.exists():
        sys.stderr.write("making .venv ...\n")
        venv.create(VENV, with_pip=True)
    sys.stderr.write("installing %s (once; a minute or so) ...\n" % requirements)
    try:
        _install(requirements)
    except subprocess.CalledProcessError:
        sys.stderr.write(
            "the install failed (see above): is a package index reachable? Then type it again\n"
        )
        return 1
    stamp.touch()
    return 0


def _has_more(requirements):
    """The development set holds the core set: then there is nothing to do."""
    larger = requirements.with_name("requirements-dev.txt")
    digest = hashlib.sha256(larger.read_bytes()).hexdigest()[:16]
    return (VENV / (".done-requirements-dev-" + digest)).exists()


def _install(requirements):
    uv = subprocess.run(
        [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "uv"], check=False
    )
    if uv.returncode == 0:
        command = [BIN / "uv", "pip", "install", "-q", "--python", PYTHON]
    else:
        sys.stderr.write("uv cannot be had here, using pip ...\n")
        command = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*command, "--require-hashes", "-r", requirements], check=True)


if __name__ == "__main__":
    sys.exit(main())
