import json
import os
from pathlib import Path

import pandas as pd
import pytest

OWN = Path(__file__).parents[1] / "oracles"
SHARED = Path(__file__).parents[3] / "shared" / "oracles"


def oracle_file(path: str) -> Path:
    given = os.environ.get("EPRO_ORACLES")
    folders = [Path(given)] if given else []
    for folder in [*folders, OWN, SHARED]:
        if (folder / path).is_file():
            return folder / path
    pytest.skip(f"oracle {path} is missing; set EPRO_ORACLES to the folder that has it")


@pytest.fixture(scope="session")
def figures():
    """R's figures by file: figures("lung")."""
    return lambda name: json.loads(oracle_file(f"stats/{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def patients():
    """The data set that figures were made from: patients("lung")."""
    return lambda name: pd.read_csv(oracle_file(f"stats/data/{name}.csv"))
