"""Which benchmarks are there?"""

import ast
from pathlib import Path

COMMON = {"__init__", "__main__", "crowd", "measuring", "register", "wards"}

if __name__ == "__main__":
    for file in sorted(Path(__file__).parent.glob("*.py")):
        if file.stem not in COMMON:
            question = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            print(f"python -m benchmarks.{file.stem}\n    {question.splitlines()[0]}")
