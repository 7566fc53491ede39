"""Staff of a small house, each at a browser of her own."""

from epro.acts import users
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
        with writing(house.engine) as connection:
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


def sign_in(browser, email, password=PASSWORD, path="/desk/login"):
    return browser.press(browser.open(path), "/desk/login", email=email, password=password)


def ticked(house):
    """Every criterion of the checklist."""
    eligibility = house.protocol.eligibility
    included = {f"included_{n}": "yes" for n, _ in enumerate(eligibility.inclusion)}
    return included | {f"excluded_{n}": "yes" for n, _ in enumerate(eligibility.exclusion)}
