"""Write the README's file map from the modules' own first lines (`--check` only compares)."""

import ast
import sys
from pathlib import Path

README = Path("README.md")
START, END = "<!-- file map -->\n", "<!-- end of file map -->\n"
ROOTS = ("chatloop", "scripts", "bench")
SCRIPTS = ("prepare_data.py", "train_model.py", "main.py", "gradio_app.py", "monitoring.py")


def main() -> int:
    """Renew the map; returns 1 when `--check` finds it stale."""
    before, rest = README.read_text("utf-8").split(START)
    after = rest.split(END)[1]
    text = before + START + "\n".join(lines()) + "\n" + END + after
    if "--check" in sys.argv:
        stale = text != README.read_text("utf-8")
        if stale:
            sys.stderr.write("README's file map is stale: `python scripts/file_map.py`\n")
        return int(stale)
    README.write_text(text, "utf-8")
    return 0


def lines() -> list[str]:
    """One line a file: its path and the first sentence of its docstring."""
    found = [_line(Path(name)) for name in SCRIPTS]
    for root in ROOTS:
        paths = sorted(Path(root).rglob("*.py"), key=lambda p: (p.parent, p.name))
        folders = dict.fromkeys(p.parent for p in paths)
        for folder in folders:
            init = folder / "__init__.py"
            head = f" - {_sentence(init)}" if init.exists() else ""
            files = [p for p in paths if p.parent == folder and p.name != "__init__.py"]
            found += ["", f"**{folder.as_posix()}/**{head}"]
            found += ["", *(_line(p) for p in files)] if files else []
    return found


def _line(path: Path) -> str:
    return f"- `{path.name}` - {_sentence(path)}"


def _sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


if __name__ == "__main__":
    sys.exit(main())
