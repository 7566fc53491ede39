"""Does the guide tell the truth?"""

import re
from pathlib import Path

import questionnaires

ROOM = Path(questionnaires.__file__).parent
GUIDE = (ROOM / "README.md").read_text(encoding="utf-8")
EXAMPLE = Path(__file__).parent / "instruments" / "five-items.toml"


def test_the_example_of_the_guide_is_an_instrument_that_loads(tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    file = tmp_path / "five-items.toml"
    file.write_text(block, encoding="utf-8")

    assert questionnaires.load(file) == questionnaires.load(EXAMPLE)


def test_every_instrument_of_the_catalogue_stands_in_the_guide():
    table = GUIDE[GUIDE.index("## What is there") : GUIDE.index("## What an answer may be")]

    named = set(re.findall(r"`([a-z0-9-]+)`", table))
    assert {instrument.id for instrument in questionnaires.available()} <= named


def test_every_path_of_the_guide_is_there():
    for path in re.findall(r"`((?:instruments|value_sets|wordings)/[^` ]*)`", GUIDE):
        assert (ROOM / path).exists(), path
