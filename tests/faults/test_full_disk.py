"""The disk is full: she reads that nothing was saved, nothing is kept half, and it goes on when there is room."""

import pytest
from sqlalchemy import event, text

from epro.store.database import reading
from tests.faults.__main__ import run
from tests.web.conftest import Browser, app, clock, desk, house, link, rows_of, token

__all__ = ["app", "clock", "desk", "house", "link", "token"]

pytestmark = pytest.mark.requirement("abuse-26", "fault-F7")


def test_a_full_database_is_told_keeps_nothing_half_and_recovers_by_itself(house, clock, app, token):
    if house.engine.dialect.name != "sqlite":
        pytest.skip("a limit of the file's pages is SQLite's; PostgreSQL is filled on a small disk of its own")
    page = Browser(app)
    begun = page.begin(token)
    full = {"on": True}

    @event.listens_for(house.engine, "checkout")
    def limit(connection, _record, _proxy):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages if full['on'] else 1_000_000}")

    kept, refused = 0, None
    for n in range(200):
        before = rows_of(house)
        answered = page.press(page.open("/form/1"), "/form/1", value=str(n % 4 + 1))
        if answered.status == 503:
            refused = answered
            break
        kept += 1
    assert refused is not None, "it never became full"
    assert "Inget sparades just nu" in refused.words
    assert rows_of(house) == before
    assert begun.status == 200

    full["on"] = False
    assert page.press(page.open("/form/1"), "/form/1", value="4").status == 200
    assert rows_of(house)["answer"] == kept + 1
    with reading(house.engine) as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_disk_that_is_full_to_the_last_byte_is_told_and_the_service_goes_on_by_itself_when_there_is_room(kind):
    try:
        found = run("f7", kind, 1)
    except OSError as error:
        pytest.skip(str(error))

    assert found.is_well, found
