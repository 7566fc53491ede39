"""An instant comes back as the instant it was, on both databases, and sorts as time does."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import StatementError

from scheduler.instants import Instant, NaiveInstant

pytestmark = pytest.mark.requirement("trust-10")

moments = Table("moment", MetaData(), Column("id", Integer, primary_key=True), Column("at", Instant))


@pytest.fixture
def table(engine: Engine) -> Engine:
    moments.drop(engine, checkfirst=True)
    moments.create(engine)
    return engine


def test_an_instant_comes_back_in_utc_to_the_microsecond(table: Engine) -> None:
    at = datetime(2027, 3, 28, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with table.begin() as connection:
        connection.execute(insert(moments), [{"id": 1, "at": at}, {"id": 2, "at": None}])
        back, nothing = connection.execute(select(moments.c.at).order_by(moments.c.id)).scalars()

    assert (back, back.tzinfo, nothing) == (at, UTC, None)


def test_instants_sort_and_compare_as_time_does(table: Engine) -> None:
    instants = [
        datetime(2027, 1, 1, tzinfo=UTC) + step
        for step in (timedelta(0), timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=400))
    ]
    with table.begin() as connection:
        connection.execute(insert(moments), [{"id": 9 - n, "at": at} for n, at in enumerate(instants)])
        in_order = list(connection.execute(select(moments.c.at).order_by(moments.c.at)).scalars())
        later = connection.execute(select(moments.c.at).where(moments.c.at > instants[0])).scalars().all()

    assert in_order == instants
    assert sorted(later) == instants[1:]


def test_an_instant_without_a_zone_is_refused(table: Engine) -> None:
    with table.begin() as connection, pytest.raises(StatementError) as caught:
        connection.execute(insert(moments), [{"id": 1, "at": datetime(2027, 1, 1)}])  # noqa: DTZ001

    assert isinstance(caught.value.orig, NaiveInstant)
