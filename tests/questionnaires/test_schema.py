"""Does an editor that knows the published schemas accept our files, and no others?"""

import tomllib
from pathlib import Path

import pytest

from questionnaires.schema import FOLDER, SCHEMAS, text_of

SHIPPED = sorted((FOLDER / "instruments").glob("*.toml"))
SHIPPED += sorted((FOLDER / "value_sets").glob("*.toml")) + sorted((FOLDER / "wordings").rglob("*.toml"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_that_of_the_code(name):
    """If not: python -m questionnaires.schema"""
    assert (FOLDER / name).read_text(encoding="utf-8") == text_of(SCHEMAS[name])


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: str(file.relative_to(FOLDER)))
def test_the_first_line_of_every_file_leads_an_editor_to_its_schema(file):
    marker, _, path = file.read_text(encoding="utf-8").partition("\n")[0].partition(" ")

    assert marker == "#:schema"
    assert (file.parent / path).resolve().parent == FOLDER
    assert Path(path).name in SCHEMAS


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: str(file.relative_to(FOLDER)))
def test_every_key_of_our_files_is_in_the_schema(file):
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    schema = SCHEMAS[Path(first).name].model_json_schema(by_alias=True)

    assert tomllib.loads(file.read_text(encoding="utf-8")).keys() <= schema["properties"].keys()


def test_a_misspelt_key_is_not_in_the_schema():
    schema = SCHEMAS["instrument.schema.json"].model_json_schema(by_alias=True)

    assert schema["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values() if "properties" in part)
