"""Whoever sends is killed at every point of the way, over HTTP, in foul weather: none never sent, none sent twice.

The whole of it as a command: python -m tests.scheduler.fire
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.scheduler import twilio_double as double_of
from tests.scheduler.fire.trial import by_chance, by_fire, by_many
from tests.scheduler.twilio_double import Double


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as running:
        yield running


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "texts", "kills_a_point"),
    [(0, 40, 1), *(pytest.param(seed, 1000, 10, marks=pytest.mark.slow) for seed in (1, 2, 3))],
)
def test_killed_at_each_point_in_foul_weather(
    engine: Engine, double: Double, seed: int, texts: int, kills_a_point: int
) -> None:
    """The trial by fire. Refused for good (no such mobile) is the one reason not to leave."""
    result = by_fire(engine, double, seed=seed, texts=texts, kills_a_point=kills_a_point)

    assert (result.never, result.twice, result.undecided) == (0, 0, 0)
    assert result.killed >= 3 * kills_a_point  # of four points; else nothing was tried


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_fifty_times_at_each_point_every_text_is_accepted_once(engine: Engine, double: Double) -> None:
    result = by_fire(engine, double, seed=4, texts=400, kills_a_point=50, calm=True)

    assert (result.sent, result.twice, result.undecided) == (400, 0, 0)
    assert result.killed >= 150


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_two_hundred_random_moments_every_text_is_accepted_once(engine: Engine, double: Double) -> None:
    result = by_chance(engine, double, seed=5, texts=400, kills=200)

    assert (result.sent, result.twice, result.undecided) == (400, 0, 0)
    assert result.killed == 200


@pytest.mark.parametrize(
    ("clocks", "texts"), [(2, 100), *(pytest.param(n, 1000, marks=pytest.mark.slow) for n in (2, 5))]
)
def test_many_clocks_on_one_ledger_send_each_text_once(engine: Engine, double: Double, clocks: int, texts: int) -> None:
    result = by_many(engine, double, texts=texts, clocks=clocks)

    assert (result.sent, result.twice, result.undecided) == (texts, 0, 0)
