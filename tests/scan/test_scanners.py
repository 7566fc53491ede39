"""wapiti and sqlmap find nothing in the pages, whoever is signed in; and find what is planted in the control."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from epro.web.app import create_app
from epro.web.audiences import AUDIENCES, MEMBER
from epro.web.desk.gate import ROLES_WITH
from tests.faults.place import Place
from tests.faults.savers import CSRF
from tests.scan.crawling import targets, unreached
from tests.scan.scanners import Target, installed, sqlmap, wapiti
from tests.scan.standing import begun, cookie_of, planted, service, signed_in

ROLES = sorted({role for roles in ROLES_WITH.values() for role in roles})
SUBJECT = "UME-001"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
needs = {
    scanner: pytest.mark.skipif(not installed(scanner), reason=f"{scanner} is not installed: apt-get install {scanner}")
    for scanner in ("wapiti", "sqlmap")
}


@dataclass(frozen=True)
class Somebody:
    """Who sends requests, and the paths from which everything of hers is reached."""

    name: str
    starts: tuple[str, ...]

    def session(self, here: Place) -> requests.Session:
        if self.name == "stranger":
            return requests.Session()
        return begun(here, SUBJECT) if self.name == "patient" else signed_in(here, self.name)


DESK = ("/desk/", f"/desk/patients/{SUBJECT}", "/desk/account")
PEOPLE = [
    Somebody("stranger", ("/", "/desk/login")),
    Somebody("patient", ("/form", "/form/1", "/form/review")),
    *(Somebody(role, DESK) for role in ROLES),
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with service(tmp_path_factory.mktemp("home"), ROLES) as running:
        yield running


@needs["wapiti"]
def test_wapiti_finds_the_planted_script_and_the_planted_injection():
    with planted() as address:
        found = "\n".join(wapiti(address))

    assert "Cross Site Scripting" in found
    assert "/search" in found, "neither an injection nor a page that breaks was seen"


@needs["wapiti"]
@pytest.mark.parametrize("somebody", PEOPLE, ids=lambda somebody: somebody.name)
def test_wapiti_finds_nothing_in_our_pages(here: Place, somebody: Somebody):
    assert wapiti(here.address, cookie_of(somebody.session(here)), start=somebody.starts) == []


@needs["sqlmap"]
def test_sqlmap_finds_the_planted_injection():
    with planted() as address:
        assert sqlmap(address, Target("GET", "/search?code=a*")) != []
        assert sqlmap(address, Target("GET", "/said?words=hello*")) == []


@needs["sqlmap"]
def test_sqlmap_finds_nothing_in_any_value_of_any_route(here: Place):
    found = [line for name, somebody in every_route(here).items() for line in tried(here, name, somebody)]

    assert found == []


def every_route(here: Place) -> dict[str, Somebody]:
    """`METHOD endpoint`: who reaches it by the pages, or who may open it where no page leads there."""
    app, who = create_app(here.house), {}
    for somebody in PEOPLE:
        for name in reached(here, somebody):
            who.setdefault(name, somebody)
    for name in unreached(app, who, {}, ""):
        audience = AUDIENCES[name.split()[1]]
        roles = ROLES_WITH.get(audience, {"nurse"} if audience == MEMBER else set())
        who[name] = next((each for each in PEOPLE if each.name in roles), PEOPLE[0])
    return who


def reached(here: Place, somebody: Somebody) -> dict[str, Target]:
    return targets(create_app(here.house), here.address, somebody.session(here), list(somebody.starts))


def tried(here: Place, name: str, somebody: Somebody) -> list[str]:
    """What sqlmap finds in one route, from a session that has just begun."""
    session = somebody.session(here)
    found = targets(create_app(here.house), here.address, session, list(somebody.starts))
    if name not in found:
        csrf_token = CSRF.findall(session.get(here.address + somebody.starts[-1], timeout=60).text)[0]
        values = {"subject": SUBJECT, "token": here.tokens[SUBJECT], "visit": "BL", "site": "UME"}
        found = unreached(create_app(here.house), found, values, csrf_token)
    return sqlmap(here.address, found[name], cookie_of(session))
