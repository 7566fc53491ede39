"""The faults by their numbers in `docs/trust.md`: each takes an installation, breaks it, and gives a verdict."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from tests.faults.place import Place, Verdict, verdict
from tests.faults.savers import Saver, savers, told_by

SHARE_DROPPED = 0.2
REFUSALS = 5  # so many, before there is room again
WAITS, WAIT_SECONDS = 4800, 0.05  # at most so long for a service that starts


def f1(place: Place, times: int) -> Verdict:
    """Eight phones save; the whole web group is killed (-9) at a random moment, and started again."""
    stopping, chance = Event(), random.Random(1)
    phones = savers(place, stopping)
    for phone in phones:
        phone.start()
    for _ in range(times):
        place.serve()
        _something_is_kept(phones, stopping)
        stopping.wait(chance.uniform(0.0, 0.7))
        place.kill()
    place.serve()
    _something_is_kept(phones, stopping)  # what was cut off is sent again
    stopping.set()
    for phone in phones:
        phone.join()
    place.terminate()
    return verdict(place.house, told_by(phones))


def f6(place: Place, times: int, crash: Callable[[], None]) -> Verdict:
    """Eight phones save while the database crashes and comes back, again and again."""
    stopping, chance = Event(), random.Random(6)
    place.serve()
    phones = savers(place, stopping)
    for phone in phones:
        phone.start()
    for _ in range(times):
        _something_is_kept(phones, stopping)
        stopping.wait(chance.uniform(0.0, 0.7))
        crash()
    _something_is_kept(phones, stopping)
    stopping.set()
    for phone in phones:
        phone.join()
    place.terminate()
    place.house.engine.dispose()
    return verdict(place.house, told_by(phones))


def f7(place: Place, disk: Path) -> Verdict:
    """The database's disk is filled to the last byte while a phone saves, and emptied again; nothing is restarted."""
    stopping = Event()
    place.serve()
    phones = savers(place, stopping)
    for phone in phones:
        phone.start()
    _something_is_kept(phones, stopping)
    fill(disk / "ballast")
    _await(lambda: _refused(phones) >= REFUSALS, stopping, "no save was refused")
    (disk / "ballast").unlink()
    _something_is_kept(phones, stopping)
    stopping.set()
    for phone in phones:
        phone.join()
    place.terminate()
    heard = {status for phone in phones for status in phone.statuses}
    assert heard == {303, 503}, f"a phone heard {heard}"
    return verdict(place.house, told_by(phones))


def fill(ballast: Path) -> None:
    """Write until there is no room for one more byte."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass


def _refused(phones: list[Saver]) -> int:
    return sum(phone.statuses.count(503) for phone in phones)


def f9(place: Place, saves: int) -> Verdict:
    """A fifth of all answers to the phones is lost after the server has heard the question; the phones send again."""
    stopping = Event()
    place.serve()
    with lossy(place.house.settings.port) as port:
        phones = savers(place, stopping, address=f"http://127.0.0.1:{port}", most=saves)
        for phone in phones:
            phone.start()
        for phone in phones:
            phone.join()
    place.terminate()
    told = told_by(phones)
    assert len(told) == saves * len(phones)
    assert any(0 in phone.statuses for phone in phones), "nothing was dropped"
    return verdict(place.house, told)


def f10(place: Place) -> tuple[Verdict, int]:
    """An orderly stop while every phone saves: what the server took is answered, what it refused is not kept.

    Returns the verdict, and how many rows were kept without a word to the phone.
    """
    stopping = Event()
    place.serve()
    phones = savers(place, stopping)
    for phone in phones:
        phone.begin()
    sending = [Thread(target=phone.save, args=(1,), kwargs={"tries": 1}) for phone in phones]
    for thread in sending:
        thread.start()
    code = place.terminate()
    for thread in sending:
        thread.join()
    assert code == 0, f"the service ended with {code}"
    told = told_by(phones)
    found = verdict(place.house, told)
    return found, found.kept - len(told)


def _something_is_kept(phones: list[Saver], stopping: Event) -> None:
    """Wait until the pages serve again: until one more save is told to be kept."""
    before = len(told_by(phones))
    try:
        _await(lambda: len(told_by(phones)) > before, stopping, "the pages did not come back")
    except AssertionError as error:
        heard = Counter(tuple(phone.statuses[-3:]) for phone in phones)
        raise AssertionError(f"{error}; the phones heard last {dict(heard)}") from None


def _await(is_so: Callable[[], bool], stopping: Event, otherwise: str) -> None:
    for _ in range(WAITS):
        if is_so():
            return
        stopping.wait(WAIT_SECONDS)
    raise AssertionError(otherwise)


@contextmanager
def lossy(port: int) -> Iterator[int]:
    """A proxy on loopback that hands every request on, and drops a fifth of the replies. Yields its port."""
    chance, stopping = random.Random(9), Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def accept() -> None:
            while not stopping.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                Thread(target=_pass_on, args=(client, port, chance), daemon=True).start()

        accepting = Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopping.set()
            accepting.join()


def _pass_on(client: socket.socket, port: int, chance: random.Random) -> None:
    """One exchange after another; the reply is read whole before it is passed on or dropped."""
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        while request := _message(client):
            server.sendall(request)
            reply = _message(server)
            if not reply or chance.random() < SHARE_DROPPED:
                return
            client.sendall(reply)


def _message(source: socket.socket) -> bytes:
    """One HTTP message with its body; empty when the other side has gone."""
    held = b""
    while b"\r\n\r\n" not in held:
        piece = source.recv(65536)
        if not piece:
            return b""
        held += piece
    head, _, body = held.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0]) - len(body) if lengths else 0
    while missing > 0:
        piece = source.recv(65536)
        if not piece:
            return b""
        held, missing = held + piece, missing - len(piece)
    return held
