"""Many phones that save at once, in a process of their own: tickets in on stdin, what each save took out on stdout.

python -m benchmarks.crowd ADDRESS SECONDS_APART SAVES_EACH
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import uuid  # noqa: E402
from http.client import HTTPConnection, HTTPException  # noqa: E402
from urllib.parse import urlencode, urlsplit  # noqa: E402

import gevent  # noqa: E402

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TIMES_OUT_SECONDS = 60


class Phone:
    """One patient's phone. taken: seconds of each save that was acknowledged."""

    def __init__(self, address: str, ticket: str) -> None:
        self.address, self.ticket = urlsplit(address), ticket
        self.taken: list[float] = []
        self.kept: list[str] = []
        self.errors = 0

    def answer(self, seconds_apart: float, saves: int) -> None:
        time.sleep(random.uniform(0, seconds_apart))
        for n in range(1, saves + 1):
            began = time.perf_counter()
            self._save(f"q{n}")
            time.sleep(max(0.0, seconds_apart - (time.perf_counter() - began)))

    def _save(self, item: str) -> None:
        key, began = uuid.uuid4().hex, time.perf_counter()
        body = urlencode({"ticket": self.ticket, "name": f"qlq-c30.{item}", "value": "2", "key": key})
        try:
            connection = HTTPConnection(str(self.address.hostname), self.address.port, timeout=TIMES_OUT_SECONDS)
            connection.request("POST", "/form/answer", body, FORM)
            reply = json.loads(connection.getresponse().read())
            connection.close()
        except (OSError, HTTPException, ValueError):
            self.errors += 1
            return
        if reply.get("key") == key and reply["kept"]:
            self.taken.append(time.perf_counter() - began)
            self.kept.append(key)
        else:
            self.errors += 1


def main() -> None:
    address, seconds_apart, saves = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    phones = [Phone(address, ticket) for ticket in json.load(sys.stdin)]
    gevent.joinall([gevent.spawn(phone.answer, seconds_apart, saves) for phone in phones])
    result = {
        "taken": [one for phone in phones for one in phone.taken],
        "kept": [key for phone in phones for key in phone.kept],
        "errors": sum(phone.errors for phone in phones),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
