"""Between two states lies one arrow, which leaves one event; and only the arrows write a message's state."""

import ast
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeGuard

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, update

import scheduler as room
from scheduler import arrows
from scheduler.tables import attempt, message, message_event
from tests.scheduler.house import DUE, Patients, utc

pytestmark = pytest.mark.requirement("trust-8")

LATER = DUE + timedelta(minutes=1)
LEASE = {"lease_owner": "x", "lease_until": LATER}

Follow = Callable[[Connection, int, int], Any]
ARROWS: dict[str, Follow] = {
    "move": lambda c, m, a: arrows.move(c, [{"id": m, "send_at": LATER}], LATER),
    "revive": lambda c, m, a: arrows.revive(c, [{"id": m, "next_try_at": LATER}], LATER),
    "cancel": lambda c, m, a: arrows.cancel(c, [m], LATER),
    "supersede": lambda c, m, a: arrows.supersede(c, [m], LATER),
    "expire": lambda c, m, a: arrows.expire(c, [m], LATER),
    "rule_out": lambda c, m, a: arrows.rule_out(c, [m], LATER),
    "claim": lambda c, m, a: arrows.claim(c, [{"id": m, "n": 2, "token": "t2", "left_on": DUE.date(), **LEASE}], LATER),
    "withhold": lambda c, m, a: arrows.withhold(c, [m], LATER, detail="stop"),
    "refuse": lambda c, m, a: arrows.refuse(c, [m], LATER, attempt=a, code=21211, detail="never"),
    "plan_again": lambda c, m, a: arrows.plan_again(c, [m], LATER, attempt=a, next_try_at=LATER, detail="later"),
    "lose_sight": lambda c, m, a: arrows.lose_sight(c, [m], LATER, attempt=a),
    "give_up": lambda c, m, a: arrows.give_up(c, [m], LATER, attempt=a),
    "accept": lambda c, m, a: arrows.accept(c, [m], LATER, attempt=a, detail="reply"),
    "deliver": lambda c, m, a: arrows.deliver(c, [m], LATER, attempt=a),
    "fail_delivery": lambda c, m, a: arrows.fail_delivery(c, [m], LATER, attempt=a, code=30003),
    "stop_waiting": lambda c, m, a: arrows.stop_waiting(c, [m], LATER),
}
PROMISED = {  # as the design draws them; a receipt or the carrier's list may tell of a text believed unsent
    "planned": "claimed cancelled superseded expired not_sendable accepted delivered planned",
    "claimed": "accepted planned withheld refused unknown delivered undelivered",
    "unknown": "accepted planned given_up delivered undelivered",
    "accepted": "delivered undelivered delivery_unknown",
    "undelivered": "planned delivered",
    "withheld": "planned accepted refused delivered undelivered",
    "delivery_unknown": "delivered undelivered",
    "given_up": "accepted delivered undelivered",
    "refused": "delivered",
    "delivered": "",
    **dict.fromkeys(["cancelled", "superseded", "expired", "not_sendable"], "planned accepted delivered"),
}


def stand_in(engine: Engine, state: str) -> tuple[int, int]:
    """A message in this state with one open attempt; their ids."""
    with engine.begin() as connection:
        message_id = connection.execute(select(func.min(message.c.id))).scalar_one()
        attempt_id = connection.execute(
            insert(attempt).values(message=message_id, n=1, token="t1", claimed_at=DUE).returning(attempt.c.id)
        ).scalar_one()
        connection.execute(
            update(message).where(message.c.id == message_id).values(state=state, latest_attempt=attempt_id)
        )
    return message_id, attempt_id


def what_happens(engine: Engine, state: str, follow: Follow) -> tuple[str, int]:
    """The state after an arrow, and how many events it left; undone again."""
    message_id, attempt_id = stand_in(engine, state)
    with engine.connect() as connection, connection.begin() as undone:
        before = connection.execute(select(func.count()).select_from(message_event)).scalar_one()
        follow(connection, message_id, attempt_id)
        after = connection.execute(select(func.count()).select_from(message_event)).scalar_one()
        now = connection.execute(select(message.c.state).where(message.c.id == message_id)).scalar_one()
        undone.rollback()
    with engine.begin() as connection:
        connection.execute(attempt.delete())
    return now, after - before


@pytest.mark.parametrize("state", sorted(arrows.STATES))
def test_from_each_state_lead_the_promised_arrows_each_by_one_function(patients: Patients, state: str) -> None:
    patients.enrol("A", utc("2027-03-01 12:00"))
    ways: dict[str, list[str]] = defaultdict(list)

    for name, follow in ARROWS.items():
        if name in ("move", "claim", "revive") and state not in {"planned", *arrows.PUT_ASIDE}:
            continue  # these take rows that their caller has locked and read
        became, events = what_happens(patients.engine, state, follow)
        if became != state or (name == "move" and state == "planned"):
            ways[became].append(name)
            assert events == 1, f"{name} left {events} events"

    assert set(ways) == set(PROMISED[state].split())
    assert all(len(functions) == 1 for functions in ways.values()), ways


def test_every_arrow_is_tried_here() -> None:
    tree = ast.parse(Path(arrows.__file__).read_text(encoding="utf-8"))
    public = {f.name for f in tree.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")}

    assert public == {*ARROWS, "plan_new", "accept_each"}  # `accept`, many at once: tests of dispatch try it


def test_an_arrow_of_an_older_attempt_does_not_move_the_message_of_a_newer_one(patients: Patients) -> None:
    patients.enrol("A", utc("2027-03-01 12:00"))
    message_id, _ = stand_in(patients.engine, "claimed")

    with patients.engine.begin() as connection:
        stale = 10_000
        assert arrows.plan_again(connection, [message_id], LATER, attempt=stale, next_try_at=LATER, detail="x") == []
        assert arrows.lose_sight(connection, [message_id], LATER, attempt=stale) == []


def _sets_values(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values"


def test_only_the_arrows_write_a_state() -> None:
    """No other file of the room names `state` as a value to be written to a message, or asks that to be done."""
    writers, users = set(), set()
    for path in Path(room.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if _sets_values(node) and any(keyword.arg == "state" for keyword in node.keywords):
                writers.add(path.name)
            if isinstance(node, ast.ImportFrom) and node.module == "scheduler.following":
                users.add(path.name)
    assert (writers, users) == ({"following.py"}, {"arrows.py"})
