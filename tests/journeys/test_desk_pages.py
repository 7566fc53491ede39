"""Every page of the desk, for whoever may open it: no rule of accessibility is broken, and nothing sticks out.

Each role begins at the landing page and follows every link to a page that she has not seen. What no link leads to
while it is closed (a paper form, an item to be corrected) is opened by its address.
"""

import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from epro.web.app import create_app
from tests.journeys.browsing import broken, chromium, needs_chromium, sticking_out
from tests.journeys.ward import OWN

pytestmark = needs_chromium

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE, NARROW = (1280, 800), (390, 740)
HERS = f"/desk/patients/{OWN}-007"
FORM = f"{HERS}/visits/BL"
BY_ADDRESS = {  # every role, and the pages that she opens by their address
    "investigator": [f"{HERS}/{page}" for page in ("trail", "looks", "signatures", "stopped", "card")]
    + [HERS, FORM, f"{FORM}/qlq-c30/q1", f"{HERS}/visits/M36/paper"],
    "trial_office": [],
    "monitor": [HERS],
    "analyst": [],
    "administrator": ["/desk/accounts/1"],
    "nurse": [HERS],
}
NO_PAGES = {  # files
    "desk.imported_copy",
    "desk.forms_as_csv",
    "desk.trail_as_csv",
    "desk.trail_as_json",
}
SIGNED_OUT = {  # held in test_desk and test_passkeys, by whoever is about to sign in
    "accounts.login",
    "accounts.second_step",
    "accounts.again",
    "accounts.setup",
    "accounts.single_sign_on",
    "accounts.signed_on",
}


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


class Crawl:
    """What one member of staff has seen of the desk: route to page, and what was amiss on it."""

    def __init__(self, ward):
        self.ward, self.wrongs, self.seen, self.titles = ward, [], set(), {}
        self.routes = create_app(ward.house).url_map.bind("127.0.0.1")

    def route_of(self, path):
        """The endpoint that answers this address; None for what is no page of the desk."""
        try:
            endpoint, _ = self.routes.match(path.partition("?")[0])
        except (HTTPException, RequestRedirect):
            return None
        is_desk = endpoint.startswith("desk.") or endpoint == "accounts.own" or endpoint == "accounts.authenticator"
        return endpoint if is_desk and endpoint not in NO_PAGES else None

    def through(self, page, role, paths):
        """Open every page that these lead to, each route once for each role."""
        said, seen = [], set()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        waiting = ["/desk", *paths]
        while waiting:
            path = waiting.pop(0)
            route = self.route_of(path)
            if route is None or route in seen:
                continue
            seen.add(route)
            status = page.goto(self.ward.address + path).status
            self.look(page, f"{role} {route}", status)
            waiting += page.evaluate("[...document.querySelectorAll('a[href]')].map(each => each.getAttribute('href'))")
        self.wrongs += [(role, line) for line in said]
        self.seen |= seen

    def look(self, page, where, status):
        self.wrongs += [(where, status)] if status != 200 else []
        self.wrongs += [(where, rule) for rule in broken(page, "tag", RULES)]
        heads = page.locator("h1").count()
        self.wrongs += [(where, f"{heads} headings of the first rank")] if heads != 1 else []
        self.titles[where] = page.title()
        for width, height in (NARROW, WIDE):
            page.set_viewport_size({"width": width, "height": height})
            if not scrolls_no_further(page):
                self.wrongs += [(where, width, wide) for wide in sticking_out(page)[:3]]


def test_no_page_of_anybody_breaks_a_rule_or_sticks_out_and_every_page_was_opened_by_somebody(ward, browser):
    crawl = Crawl(ward)
    for role, paths in BY_ADDRESS.items():
        with ward.staff(browser, role) as page:
            crawl.through(page, role, paths)

    assert crawl.wrongs == []
    assert {where: title for where, title in crawl.titles.items() if not title.strip()} == {}
    pages = {rule.endpoint for rule in crawl.routes.map.iter_rules() if "GET" in rule.methods}
    of_staff = {one for one in pages if one.startswith(("desk.", "accounts."))}
    assert of_staff - NO_PAGES - SIGNED_OUT - crawl.seen == set()


def scrolls_no_further(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
