"""Staff of a small house, each at a browser of her own."""

import re
from contextlib import contextmanager

from passlib.context import CryptContext
from passlib.totp import TOTP

from epro.acts import passwords, users
from epro.store.database import writing
from tests.epro.conftest import NOW, NURSE
from tests.web.conftest import Browser

PASSWORD = "correct horse battery"
ENROLMENT = {
    "subject": "UME-001",
    "site": "UME",
    "language": "sv",
    "er": "pos",
    "metastases": "1",
    "consented_on": "2027-03-01",
    "texts_allowed": "yes",
    "phone": "070-174 06 05",
    "phone_again": "0701740605",
}


class Staff(Browser):
    """One member of staff, signed in."""

    def __init__(self, app, house, role="nurse", sites=(), language="en"):
        super().__init__(app, **{"Accept-Language": language})
        self.email = f"{role}{len(sites)}{''.join(sites)}@example.org".lower()
        with quick_passwords(), writing(house.engine) as connection:
            users.add(
                connection,
                house.protocol,
                email=self.email,
                name="Some One",
                role=role,
                sites=list(sites) or (list(house.protocol.sites) if role in users.AT_OWN_SITES else []),
                password=PASSWORD,
                by=NURSE,
                now=NOW,
            )
        self.token = self.open("/desk/login").fields["csrf_token"]
        self.post("/desk/login", email=self.email, password=PASSWORD)
        self.token = self.open("/desk/account").fields.get("csrf_token", "")  # signing in begins everything anew

    @classmethod
    def signed_in(cls, app, email):
        """Somebody who has an account already."""
        one = cls.__new__(cls)
        Browser.__init__(one, app, **{"Accept-Language": "en"})
        one.email = email
        one.token = sign_in(one, email).fields.get("csrf_token", "")
        return one

    def sign_in_again(self, path):
        """A page of another day: the session of this one has ended by then."""
        sign_in(self, self.email)
        return self.open(path)

    def post(self, path, **fields):
        """The answer itself, without going where it leads."""
        return self.client.post(path, data={"csrf_token": self.token, **fields}, headers=self.headers)

    def enrol(self, house, **changes):
        return self.post("/desk/patients/new", **{**ENROLMENT, **ticked(house), **changes})

    def record(self, what, subject="UME-001", **fields):
        return self.post(f"/desk/patients/{subject}/{what}", **fields)


@contextmanager
def quick_passwords():
    """Passwords that are set meanwhile are hashed at little cost, and so is every look at them later."""
    usual = passwords._context
    passwords._context = CryptContext(schemes=["argon2"], argon2__rounds=1, argon2__memory_cost=64)
    try:
        yield
    finally:
        passwords._context = usual


def sign_in(browser, email, password=PASSWORD, path="/desk/login"):
    return browser.press(browser.open(path), "/desk/login", email=email, password=password)


def ticked(house):
    """Every criterion of the checklist."""
    eligibility = house.protocol.eligibility
    included = {f"included_{n}": "yes" for n, _ in enumerate(eligibility.inclusion)}
    return included | {f"excluded_{n}": "yes" for n, _ in enumerate(eligibility.exclusion)}


def with_authenticator(staff):
    """Set up an authenticator for somebody who is signed in. Returns its secret and the recovery codes."""
    page = staff.open("/desk/account/authenticator")
    secret = re.sub(r"[^A-Z2-7]", "", re.search(r'class="secret">([^<]+)<', page.html)[1])
    done = staff.press(page, "/desk/account/authenticator", code=code_of(secret, NOW))
    assert done.status == 200
    staff.token = staff.open("/desk/account").fields["csrf_token"]
    return secret, re.findall(r"<li><code>([0-9a-f-]+)</code>", done.html)


def code_of(secret, at):
    return TOTP(secret).generate(time=at.timestamp()).token
