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
@pytest.mark.parametrize("somebody", PEOPLE, ids=lambda somebody: somebody.name)
def test_sqlmap_finds_nothing_in_any_form_or_address_that_is_reached(here: Place, somebody: Somebody):
    reached = targets(create_app(here.house), here.address, somebody.session(here), list(somebody.starts))

    assert reached
    found = [sqlmap(here.address, target, cookie_of(somebody.session(here))) for target in reached.values()]
    assert found == [[]] * len(reached)


@needs["sqlmap"]
def test_sqlmap_finds_nothing_in_a_route_that_no_page_leads_to(here: Place):
    app, reached = create_app(here.house), {}
    for somebody in PEOPLE:
        reached |= targets(app, here.address, somebody.session(here), list(somebody.starts))
    values = {"subject": SUBJECT, "token": here.tokens[SUBJECT], "visit": "BL", "site": "UME"}

    for name in unreached(app, reached, values, ""):
        somebody = who_may(name.split()[1])
        session = somebody.session(here)
        page = session.get(here.address + somebody.starts[-1], timeout=60)
        target = unreached(app, reached, values, CSRF.findall(page.text)[0])[name]
        assert sqlmap(here.address, target, cookie_of(session)) == []


def who_may(endpoint: str) -> Somebody:
    roles = ROLES_WITH.get(AUDIENCES[endpoint], frozenset({"nurse"} if AUDIENCES[endpoint] == MEMBER else ()))
    return next((each for each in PEOPLE if each.name in roles), PEOPLE[0])
