"""A patient with a link in her phone, and how she goes through her form in a real browser."""

from contextlib import suppress

from playwright.sync_api import BrowserContext, Error, Page, expect
from sqlalchemy import Row, select

from epro.store.database import reading
from epro.store.models import Answer, Assessment, Audit, Form
from tests.journeys.conftest import Service

ITEMS = 30
START = {"sv": "Börja", "en": "Start"}
TAKEN_OVER = """() => new Promise(done => {
    const look = () => history.state?.at ? done() : requestAnimationFrame(look)
    look()
})"""
PLACE = {"sv": "Fråga {} av 30", "en": "Question {} of 30"}


class Patient:
    """Somebody who has been sent her first text."""

    def __init__(self, service: Service) -> None:
        self.service, self.subject = service, service.enrol_another()
        (path,) = service.tick(service.first_text_is_due_at(self.subject))
        self.link = service.address + path

    def start(self, context: BrowserContext) -> Page:
        page = context.new_page()
        begin(page, self.link)
        return page

    @property
    def kept(self) -> list[tuple[str, int | None]]:
        """Her answers in the order in which they came."""
        return [(row.item, row.value) for row in self._answers()]

    @property
    def states(self) -> dict[str, str]:
        return {row.item: row.state for row in self._answers()}

    def _answers(self) -> list[Row[tuple[str, int | None, str]]]:
        with reading(self.service.house.engine) as connection:
            rows = connection.execute(
                select(Answer.item, Answer.value, Answer.state)
                .join(Form, Form.id == Answer.form)
                .join(Assessment, Assessment.id == Form.assessment)
                .where(Assessment.subject == self.subject)
                .order_by(Answer.id)
            )
            return list(rows)

    @property
    def times_sent(self) -> int:
        with reading(self.service.house.engine) as connection:
            sent = select(Audit.id).where(Audit.subject == self.subject, Audit.action == "assessment submitted")
            return len(connection.execute(sent).all())


def begin(page: Page, link: str) -> None:
    """Open a link, press Start, and wait until the page's script has taken over: before that a tap sends a page."""
    page.goto(link)
    page.locator(".primary").click()
    await_script(page)


def await_script(page: Page) -> None:
    """Until the page's script has taken over. The page's policy forbids Playwright's own way to wait for words."""
    while True:
        with suppress(Error):  # the page before has gone meanwhile
            page.evaluate(TAKEN_OVER)
            return


def answer(page: Page, first: int, last: int, nth: int = 1, language: str = "sv") -> None:
    """Answer the questions from one number to another, each with the option at this place."""
    for n in range(first, last + 1):
        expect(page).to_have_title(PLACE[language].format(n))
        page.locator(".option:visible").nth(nth).click()
        page.locator(".item .primary:visible").click()


def saved(page: Page) -> None:
    expect(page.locator(".saved")).to_have_text("Sparat")
