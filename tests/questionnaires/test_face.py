"""Is the library cheap to import, and useful alone?"""

import subprocess
import sys
from pathlib import Path

import pytest

import questionnaires

ROOT = Path(__file__).parents[2]


def modules_after(code: str) -> set[str]:
    """The modules that a fresh Python has loaded after running the code."""
    show = f"{code}\nimport sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", show], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_import_loads_neither_pandas_nor_pydantic_nor_the_service():
    loaded = modules_after("import questionnaires")

    assert not loaded & {"pandas", "numpy", "pydantic", "tree_sitter", "flask", "sqlalchemy", "matplotlib"}


def test_pandas_is_loaded_only_when_answers_are_scored():
    loaded = modules_after(
        "import questionnaires\n"
        "from questionnaires.wording import wording_of\n"
        "wording_of(questionnaires.load('qlq-c30'), 'sv')"
    )

    assert not loaded & {"pandas", "numpy"}


def test_the_face_names_the_public_calls_and_nothing_else():
    assert questionnaires.__all__ == ["available", "explain", "load", "score"]
    assert all(callable(getattr(questionnaires, name)) for name in questionnaires.__all__)


def test_what_is_not_public_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'publish'"):
        questionnaires.publish  # noqa: B018
