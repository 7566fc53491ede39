"""wapiti and sqlmap find nothing in the pages, whoever is signed in; and find what is planted in the control.

A route is attacked as the first of PEOPLE who reaches it; what wapiti sees without attacking it looks at as everybody.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from flask import Flask

from epro.web.app import create_app
from epro.web.audiences import AUDIENCES, MEMBER
from epro.web.desk.gate import ROLES_WITH
from tests.faults.place import Place
from tests.faults.savers import CSRF
from tests.scan.crawling import targets, unreached
from tests.scan.scanners import ATTACKS, LOOKS, Target, installed, sqlmap, wapiti
from tests.scan.standing import begun, cookie_of, planted, service, signed_in

ROLES = {role for roles in ROLES_WITH.values() for role in roles}
SUBJECT, ANOTHER = "UME-001", "UME-002"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
needs = {
    scanner: pytest.mark.skipif(not installed(scanner), reason=f"{scanner} is not installed: apt-get install {scanner}")
    for scanner in ("wapiti", "sqlmap")
}
# wapiti suspects a page that answers a wrong request alike with and without its token
SUSPECTED = "Cross Site Request Forgery: POST "


@dataclass(frozen=True)
class Somebody:
    """Who sends requests, and the paths from which everything of hers is reached."""

    name: str
    starts: tuple[str, ...]

    def session(self, here: Place, subject: str = SUBJECT) -> requests.Session:
        if self.name == "stranger":
            return requests.Session()
        return begun(here, subject) if self.name == "patient" else signed_in(here, self.name)


REACH_MOST = ("investigator", "administrator", "trial_office", "analyst", "monitor", "nurse")
DESK = ("/desk/", f"/desk/patients/{SUBJECT}", "/desk/account")
PEOPLE = [
    Somebody("patient", ("/form", "/form/1", "/form/review")),
    *(Somebody(role, DESK) for role in sorted(ROLES, key=REACH_MOST.index)),
    Somebody("stranger", ("/", "/desk/login")),  # last: who guesses so often slows everybody at this address
]
EVERYBODY = pytest.mark.parametrize("somebody", PEOPLE, ids=lambda somebody: somebody.name)


class Visit:
    """Somebody's session, and the requests that her pages lead to. It is begun anew where an attack has ended it."""

    def __init__(self, here: Place, app: Flask, somebody: Somebody) -> None:
        self.here, self.app, self.somebody = here, app, somebody
        self.begin()

    def begin(self) -> None:
        self.session = self.somebody.session(self.here)
        self.targets = targets(self.app, self.here.address, self.session, list(self.somebody.starts))

    def target(self, name: str) -> Target:
        """The request to a route, as somebody who is still in; a made up one where no page leads there."""
        door = self.session.get(self.here.address + self.somebody.starts[0], timeout=60, allow_redirects=False)
        if door.status_code != 200:
            self.begin()
        return self.targets.get(name) or self.made_up()[name]

    def made_up(self) -> dict[str, Target]:
        last = self.session.get(self.here.address + self.somebody.starts[-1], timeout=60)
        values = {"subject": SUBJECT, "token": self.here.tokens[SUBJECT], "visit": "BL", "site": "UME"}
        return unreached(self.app, self.targets, values, CSRF.findall(last.text)[0])


def whose_each_route_is(here: Place) -> dict[str, str]:
    """Route to the first of PEOPLE whose pages lead there, or who may go there."""
    app, whose = create_app(here.house), dict[str, str]()
    for somebody in PEOPLE:
        for name in Visit(here, app, somebody).targets:
            whose.setdefault(name, somebody.name)
    for name in unreached(app, whose, {}, ""):
        audience = AUDIENCES[name.split()[1]]
        roles = ROLES_WITH.get(audience, {"nurse"} if audience == MEMBER else set())
        whose[name] = next((each.name for each in PEOPLE if each.name in roles), PEOPLE[-1].name)
    return whose


@dataclass(frozen=True)
class Scanned:
    """A running service that nobody has attacked yet, and whose each route is to attack."""

    here: Place
    app: Flask
    whose: dict[str, str]

    def routes_of(self, somebody: Somebody) -> list[str]:
        return sorted(name for name, whose in self.whose.items() if whose == somebody.name)

    def refuses(self, suspected: str, somebody: Somebody) -> bool:
        """Whether the request that wapiti suspects is turned away without the token of its page: tried by hand."""
        path = suspected.removeprefix(SUSPECTED).partition(":")[0]
        session = somebody.session(self.here, ANOTHER)
        answered = session.post(self.here.address + path, allow_redirects=False, timeout=60)
        is_patients = not path.startswith("/desk")  # who is told no more than that nothing is open here
        return answered.status_code == (404 if is_patients else 400)


@pytest.fixture(scope="module")
def whose(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    with service(tmp_path_factory.mktemp("home"), sorted(ROLES)) as running:
        return whose_each_route_is(running)


@pytest.fixture
def scanned(tmp_path: Path, whose: dict[str, str]) -> Iterator[Scanned]:
    with service(tmp_path, sorted(ROLES)) as running:
        yield Scanned(running, create_app(running.house), whose)


@needs["wapiti"]
def test_wapiti_finds_the_planted_script_and_the_planted_injection():
    with planted() as address:
        found = "\n".join(wapiti(address, modules=ATTACKS))

    assert "Cross Site Scripting" in found
    assert "/search" in found, "neither an injection nor a page that breaks was seen"


@needs["sqlmap"]
def test_sqlmap_finds_the_planted_injection():
    with planted() as address:
        assert sqlmap(address, Target("GET", "/search?code=a*")) != []
        assert sqlmap(address, Target("GET", "/said?words=hello*")) == []


@needs["sqlmap"]
@EVERYBODY
def test_sqlmap_finds_nothing_in_any_value_of_any_route(scanned: Scanned, somebody: Somebody):
    visit = Visit(scanned.here, scanned.app, somebody)
    found = []
    for name in scanned.routes_of(somebody):
        target = visit.target(name)
        found += sqlmap(scanned.here.address, target, cookie_of(visit.session))

    assert found == []


@needs["wapiti"]
@EVERYBODY
def test_wapiti_sees_nothing_amiss_in_our_pages(scanned: Scanned, somebody: Somebody):
    cookie = cookie_of(somebody.session(scanned.here))
    found = wapiti(scanned.here.address, cookie, start=somebody.starts, modules=LOOKS)

    assert [line for line in found if not (line.startswith(SUSPECTED) and scanned.refuses(line, somebody))] == []


@needs["wapiti"]
@EVERYBODY
def test_wapiti_breaks_into_none_of_our_pages(scanned: Scanned, somebody: Somebody):
    if not scanned.routes_of(somebody):
        pytest.skip("she reaches nothing that nobody before her reaches")
    cookie = cookie_of(somebody.session(scanned.here))

    assert wapiti(scanned.here.address, cookie, start=somebody.starts, modules=ATTACKS) == []
