"""The disk is full: she reads that nothing was saved, nothing is kept half, and it goes on when there is room."""

from pathlib import Path

import pytest
from sqlalchemy import event, text

from epro.store.database import reading
from epro.web.app import create_app
from tests.faults.places import crashing_server, small_disk
from tests.web.conftest import Browser, app, clock, desk, house, link, rows_of, schema, token

__all__ = ["app", "clock", "desk", "house", "link", "schema", "token"]

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
def test_postgresql_on_a_full_disk_is_told_and_recovers_when_there_is_room(tmp_path: Path):
    from dataclasses import replace

    from tests.faults.place import place, verdict

    try:
        disk = small_disk(140)
        folder = disk.__enter__()
    except OSError as error:
        pytest.skip(str(error))
    try:
        with crashing_server(folder) as (url, _):
            here = place(url, tmp_path, count=1)
            app = create_app(replace(here.house))
            browser = Browser(app)
            (token,) = here.tokens.values()
            browser.begin(token)
            assert browser.press(browser.open("/form/1"), "/form/1", value="2").status == 200
            before = verdict(here.house, {})
            ballast = folder / "ballast"
            with ballast.open("wb") as file:
                try:
                    while True:
                        file.write(b"\0" * 65536)
                        file.flush()
                except OSError:
                    pass
            statuses = [browser.press(browser.open("/form/1"), "/form/1", value="3").status for _ in range(400)]
            after = verdict(here.house, {})
            ballast.unlink()
            again = [browser.press(browser.open("/form/1"), "/form/1", value="4").status for _ in range(3)]

            assert 503 in statuses, "the disk never became full"
            assert set(statuses) <= {200, 503}
            assert after.kept == before.kept + statuses.count(200)
            assert (after.without_entry, after.half, after.broken) == (0, 0, ())
            assert again[-1] == 200
            here.house.engine.dispose()
    finally:
        disk.__exit__(None, None, None)
