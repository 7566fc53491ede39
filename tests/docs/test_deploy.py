"""What `deploy/` and the guides say can be done."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from epro.cli import COMMANDS
from epro.settings import Settings

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
GUIDES = [ROOT / "docs" / name for name in ("go-live.md", "imports.md", "trust.md")]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_exists_without_more_rights_than_it_needs(unit):
    read = ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read(unit)
    service = read["Service"]

    assert service["ExecStart"].split()[1] in COMMANDS
    assert service["User"] == "epro"
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")


def test_every_timer_has_its_service():
    for timer in (ROOT / "deploy").glob("*.timer"):
        assert timer.with_suffix(".service").exists()


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_command_and_setting_of_a_guide_exists(guide):
    text = guide.read_text(encoding="utf-8")
    commands = set(re.findall(r"^ *(?:sudo -u epro )?epro ([a-z]+)", text, re.MULTILINE))
    commands |= set(re.findall(r"`epro ([a-z]+)", text))
    assert commands <= set(COMMANDS), commands - set(COMMANDS)
    settings = {name.removeprefix("EPRO_").lower() for name in re.findall(r"EPRO_[A-Z_]+", text)}
    assert settings <= set(Settings.model_fields), settings - set(Settings.model_fields)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_file_of_a_guide_exists(guide):
    for target in re.findall(r"\]\(([^)#:]+)\)", guide.read_text(encoding="utf-8")):
        assert (guide.parent / target).exists(), target


def test_no_page_claims_compliance():
    claims = re.compile(
        r"\b(?:is|are|fully) (?:compliant|validated|certified)|\bcompliant with|complies with", re.IGNORECASE
    )
    for page in (*GUIDES, ROOT / "README.md", ROOT / "docs" / "requirements.md"):
        assert not claims.search(page.read_text(encoding="utf-8")), page.name
