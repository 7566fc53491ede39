"""How many clicks does a nurse need? Counted in a browser, beside what the best documented peers need.

    python -m tests.journeys.effort

starts a service of its own, does each task as a nurse does, and prints the table. What is typed or chosen in a form is
not counted, as the peers' figures do not; signing in is not either.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page, expect

from epro.opening import system_clock

PEERS = {  # task: (the best peer, REDCap, our target), reference: help pages of Red Pill, Viedoc, Castor and REDCap
    "enrol a patient": ("about 4 + form", "about 6 + 5 + form", 2),
    "morning: whom do I call?": ("1", "6 and more", 0),
    "call an overdue patient, answers by phone": ("not found", "5 and more, and a side list", 2),
    "send a text again": ("about 3", "4 to 6", 1),
    "say why a form is missing": ("about 3", "4, home-built", 1),
    "record a death": ("about 2", "4, if every rule was built for it", 2),
    "record a withdrawal": ("about 2 to 5", "4, if every rule was built for it", 2),
    "enter a form from paper": ("3 + items", "3 + items", 2),
}


@dataclass
class Nurse:
    """A nurse at a page, whose clicks are counted."""

    page: Page
    address: str
    clicks: int = 0
    counted: dict[str, int] = field(default_factory=dict)

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def start(self, path: str = "/desk") -> None:
        self.page.goto(self.address + path)
        self.clicks = 0

    def done(self, task: str) -> None:
        self.counted[task] = self.clicks

    def row(self, subject: str) -> Locator:
        return self.page.locator("#overdue").get_by_role("row").filter(has_text=subject)


def measure(page: Page, address: str, late: list[str]) -> dict[str, int]:
    """Each task once. late: five patients whose form is late; the first is due for a text today. In Swedish."""
    nurse = Nurse(page, address)
    today = system_clock().date().isoformat()

    nurse.start()
    expect(nurse.row(late[0])).to_be_visible()
    nurse.done("morning: whom do I call?")

    nurse.start()
    nurse.click(page.get_by_role("link", name="Lägg in"))
    _fill_in_enrolment(page, today)
    nurse.click(page.get_by_role("button", name="Lägg in och visa planen"))
    _confirm(nurse)
    expect(page.get_by_role("heading", level=1)).to_have_text("UME-701")
    nurse.done("enrol a patient")

    nurse.start()
    nurse.click(nurse.row(late[0]).get_by_role("button", name="Skicka igen"))
    expect(page.get_by_role("status")).to_contain_text("går en gång till")
    nurse.done("send a text again")

    nurse.start()
    nurse.row(late[1]).get_by_role("combobox").select_option("too_ill")
    nurse.click(nurse.row(late[1]).get_by_role("button", name="Notera"))
    expect(nurse.row(late[1])).to_have_count(0)
    nurse.done("say why a form is missing")

    nurse.start()
    nurse.click(nurse.row(late[2]).get_by_role("button", name="Ring"))
    expect(page.locator(".number a")).to_have_attribute(
        "href", f"tel:{page.locator('.number a').inner_text().replace(' ', '')}"
    )
    _answer_everything(page)
    nurse.click(page.get_by_role("button", name="Spara svaren"))
    expect(page.get_by_role("status")).to_contain_text("svaren är sparade")
    nurse.done("call an overdue patient, answers by phone")

    nurse.start()
    nurse.click(nurse.row(late[3]).get_by_role("link", name="Från papper"))
    page.get_by_label("Dagen som står på pappret").fill(today)
    _answer_everything(page)
    nurse.click(page.get_by_role("button", name="Spara svaren"))
    expect(page.get_by_role("status")).to_contain_text("svaren är sparade")
    nurse.done("enter a form from paper")

    for task, subject, words, day, button in (
        ("record a withdrawal", late[3], "Utträde", "Dag för utträde", "Notera utträdet"),
        ("record a death", late[4], "Död", "Dödsdag", "Notera dödsfallet"),
    ):
        nurse.start(f"/desk/patients/{subject}")
        nurse.click(page.locator("summary").get_by_text(words, exact=True))
        page.get_by_label(day).fill(today)
        if words == "Utträde":
            page.locator("#withdrawal-reason").fill("egen önskan")
        nurse.click(page.get_by_role("button", name=button))
        expect(page.locator("#pending")).to_have_text("0 sms väntar.")
        nurse.done(task)
    return nurse.counted


def _fill_in_enrolment(page: Page, today: str) -> None:
    page.locator("main").get_by_label("Studie-id", exact=True).fill("UME-701")
    page.get_by_label("Klinik").select_option("UME")
    for choice in ("svenska", "pos", "2-4", "Ja, tillåtelse finns"):
        page.get_by_label(choice, exact=True).check()
    page.get_by_label("Dag för samtycke").fill(today)
    page.locator("#phone").fill("070-174 06 90")
    page.locator("#phone_again").fill("070-174 06 90")
    for criterion in page.get_by_role("checkbox").all():
        criterion.check()


def _confirm(nurse: Nurse) -> None:
    """A page that shows every date first is confirmed by one more click."""
    confirm = nurse.page.get_by_role("button", name="Ja, lägg in")
    if confirm.count():
        nurse.click(confirm)


def _answer_everything(page: Page) -> None:
    for fieldset in page.locator("fieldset.entered").all():
        fieldset.get_by_role("radio").nth(1).check()


def table(counted: dict[str, int]) -> str:
    """Ours beside theirs, a line a task."""
    lines = [f"{'clicks':<44}{'ours':>5}{'target':>8}  {'best peer':<18}REDCap"]
    for task, (best, redcap, target) in PEERS.items():
        lines.append(f"{task:<44}{counted.get(task, '-')!s:>5}{target:>8}  {best:<18}{redcap}")
    return "\n".join(lines)


def main() -> None:
    import tempfile
    from pathlib import Path

    from epro.store.database import open_engine
    from epro.store.migrating import migrate
    from tests.journeys.browsing import chromium
    from tests.journeys.conftest import serving
    from tests.journeys.test_desk import signed_in
    from tests.journeys.test_desk_standing import randomised

    with tempfile.TemporaryDirectory() as home:
        database = f"sqlite:///{Path(home) / 'epro.db'}"
        engine = open_engine(database, durable=False)
        migrate(engine)
        engine.dispose()
        with serving(database, Path(home)) as service, chromium() as browser:
            late = [f"UME-71{n}" for n in range(5)]
            for subject in late:
                randomised(service, subject, 51)
            with signed_in(browser, service) as page:
                print(table(measure(page, service.address, late)))  # noqa: T201


if __name__ == "__main__":
    main()
