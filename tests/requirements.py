"""Which test or page holds which requirement? `python -m tests.requirements` writes docs/requirements.md.

With --check it writes nothing, and exits 1 while a requirement has neither.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from epro.validating import requirements

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "requirements.md"


def marked() -> dict[str, list[str]]:
    """requirement: tests that name it, as file::test or as a whole file."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, where in _marks(ast.parse(file.read_text(encoding="utf-8"))):
            found.setdefault(name, []).append(f"{file.relative_to(ROOT)}{where}")
    return found


def _marks(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                yield from ((name, f"::{node.name}") for name in _named(decorator))
        elif isinstance(node, ast.Assign) and any(getattr(each, "id", "") == "pytestmark" for each in node.targets):
            for call in ast.walk(node.value):
                yield from ((name, "") for name in _named(call))


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "requirement":
        return [str(each.value) for each in node.args if isinstance(each, ast.Constant)]
    return []


def page() -> str:
    tests = marked()
    lines = [
        "# Which requirement is held by what",
        "",
        "Made by `python -m tests.requirements` from `epro/requirements.toml` and the marks of the tests.",
        "It shows what supports a requirement. Whether that is enough is for the sponsor to say.",
        "",
        "| id | requirement | asked by | held by |",
        "|---|---|---|---|",
    ]
    for name, told in requirements().items():
        held = [f"`{each}`" for each in tests.get(name, [])]
        held += [f"[{told['page']}]({told['page']})"] if "page" in told else []
        lines.append(f"| {name} | {told['text']} | {told['source']} | {'<br>'.join(held) or 'open'} |")
    return "\n".join(lines) + "\n"


def without_evidence() -> list[str]:
    tests = marked()
    return [name for name, told in requirements().items() if name not in tests and "page" not in told]


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    for name in without_evidence():
        sys.stderr.write(f"{name} has neither a test nor a page\n")
    sys.exit(1 if "--check" in sys.argv and without_evidence() else 0)
