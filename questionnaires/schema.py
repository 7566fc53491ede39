"""Which shape may a file of this room have, said so that an editor can complete and check it?

`python -m questionnaires.schema` writes the JSON Schemas beside this file. A first line `#:schema PATH` in a TOML file
names the one to use.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from questionnaires.definition import Instrument
from questionnaires.value_sets import ValueSet
from questionnaires.wording_file import WordingFile

FOLDER = Path(__file__).parent
SCHEMAS: dict[str, type[BaseModel]] = {
    "instrument.schema.json": Instrument,
    "value-set.schema.json": ValueSet,
    "wording.schema.json": WordingFile,
}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a file, with the names that its keys have there."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(by_alias=True)}


def text_of(model: type[BaseModel]) -> str:
    return json.dumps(schema_of(model), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    for name, model in SCHEMAS.items():
        (FOLDER / name).write_text(text_of(model), encoding="utf-8")
