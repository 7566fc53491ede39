"""A live trial starts only when nothing is missing, and names what is."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from epro.backups import back_up
from epro.going_live import what_installation_lacks
from epro.opening import open_house
from epro.protocol import read_protocol, what_live_lacks
from epro.settings import DEFAULT_TRIAL
from tests.epro.conftest import NOW

DEMO = Path("questionnaires/wordings/demo")
pytestmark = pytest.mark.requirement("trust-36", "live")


def live_file(folder: Path) -> Path:
    """The shipped trial marked live, beside a pack that is no demonstration."""
    pack = folder / "wordings" / "own"
    pack.mkdir(parents=True, exist_ok=True)
    for language in ("sv", "en"):
        words = (DEFAULT_TRIAL.parents[2] / DEMO / f"qlq-c30.{language}.toml").read_text(encoding="utf-8")
        lines = [line for line in words.splitlines() if not line.startswith(("banner =", "demonstration ="))]
        own = "\n".join(lines).replace('pack = "demo"', 'pack = "own"')
        (pack / f"qlq-c30.{language}.toml").write_text(own, encoding="utf-8")
    text = DEFAULT_TRIAL.read_text(encoding="utf-8").replace('qlq-c30 = "demo"', 'qlq-c30 = "own"')
    text = text.replace("live = false ", 'live = true\nethics = "2026-01234-01"\n#')
    file = folder / "live.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_trial_that_is_not_live_lacks_nothing(house):
    assert what_live_lacks(house.protocol) == ()
    assert what_installation_lacks(house, NOW) == []


def test_each_thing_that_the_file_lacks_is_named(tmp_path):
    shipped = DEFAULT_TRIAL.read_text(encoding="utf-8").replace("live = false", "live = true")
    (tmp_path / "shipped.toml").write_text(shipped, encoding="utf-8")

    lacks = what_live_lacks(read_protocol(tmp_path / "shipped.toml"))

    assert {thing.split(":")[0] for thing in lacks} == {
        "licensed wording of qlq-c30 in en",
        "licensed wording of qlq-c30 in sv",
        "an ethics number",
        "a second step beside the link",
    }


def test_what_the_file_has_is_no_longer_named(tmp_path):
    lacks = what_live_lacks(read_protocol(live_file(tmp_path)))

    assert not any("wording" in thing or "ethics" in thing for thing in lacks)


def test_each_thing_that_the_installation_lacks_is_named_until_it_is_there(house, tmp_path):
    protocol = read_protocol(live_file(tmp_path))
    bare = replace(house, protocol=protocol)
    copy, backups = tmp_path / "copy", tmp_path / "backups"
    told = " / ".join(what_installation_lacks(bare, NOW))
    for thing in ("an https address", "a carrier", "a backup", "the sites' own copy"):
        assert thing in told

    copy.mkdir()
    backups.mkdir()
    whole = bare.settings.model_copy(
        update={"public_url": "https://forms.example.org", "carrier": "twilio", "backups": backups, "site_copy": copy}
    )
    ready = replace(bare, settings=whole)
    back_up(ready, backups, NOW)
    assert what_installation_lacks(ready, NOW + timedelta(hours=24)) == []
    (late,) = what_installation_lacks(ready, NOW + timedelta(hours=24, seconds=1))
    assert late.startswith("a backup younger than a day")


@pytest.mark.parametrize("host", ["cancer.example.org", "breclim-2.example.org", "patient-forms.example.org"])
def test_a_host_name_that_gives_something_away_is_named(house, tmp_path, host):
    settings = house.settings.model_copy(update={"public_url": f"https://{host}"})
    live = replace(house, protocol=read_protocol(live_file(tmp_path)), settings=settings)

    assert any(thing.startswith("a neutral host name") for thing in what_installation_lacks(live, NOW))


def test_an_installation_that_is_not_ready_does_not_open_the_file_of_a_live_trial(house, tmp_path):
    shipped = DEFAULT_TRIAL.read_text(encoding="utf-8").replace("live = false", "live = true")
    (tmp_path / "shipped.toml").write_text(shipped, encoding="utf-8")

    with pytest.raises(Exception, match="an ethics number") as refused:
        open_house(house.settings.model_copy(update={"trial": tmp_path / "shipped.toml"}))
    assert type(refused.value).__name__ == "NotReadyForLive"
