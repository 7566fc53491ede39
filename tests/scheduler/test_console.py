"""The console carrier writes each text once, whole, and knows what it took."""

from datetime import timedelta
from pathlib import Path

from scheduler.carriers.console import Console
from scheduler.ports import Accepted, Letter, NotFound, Refused, Trace
from tests.scheduler.house import DUE, PHONE

LETTER = Letter(PHONE, "Hej! Öppna https://epro.example/p/abc", DUE + timedelta(hours=1))
TRACE = Trace(PHONE, "0")


def test_an_accepted_text_is_one_file_that_a_person_can_read(tmp_path: Path) -> None:
    assert Console(tmp_path / "outbox", lambda: DUE).send(LETTER, "token") == Accepted("token")

    (written,) = (tmp_path / "outbox").iterdir()
    assert written.name == "20270401T080000Z-token.txt"
    assert written.read_text(encoding="utf-8") == (
        f"To: {PHONE}\nAt: 2027-04-01 08:00:00 UTC\n\nHej! Öppna https://epro.example/p/abc\n"
    )
    assert written.stat().st_mode & 0o077 == 0


def test_what_was_taken_is_found_by_its_attempt_and_the_rest_surely_not(tmp_path: Path) -> None:
    console = Console(tmp_path, lambda: DUE)
    console.send(LETTER, "token")

    assert console.find(TRACE, "token", DUE) == Accepted("token")
    assert console.find(TRACE, "other", DUE) == NotFound(sure=True)


def test_a_text_half_written_was_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "20270401T080000Z-token.unfinished").write_text("To: ")

    assert Console(tmp_path, lambda: DUE).find(TRACE, "token", DUE) == NotFound(sure=True)


def test_a_folder_that_cannot_be_written_refuses_for_a_while(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where the folder should be")

    assert Console(tmp_path / "outbox", lambda: DUE).send(LETTER, "token") == Refused(None, "later")
