"""A double of Twilio's Messages API on loopback, which remembers: what it took, what it tells of it, how it fails.

Held to Twilio's own OpenAPI document by tests/scheduler/test_twilio_contract.py.
"""

from tests.scheduler.twilio_double.faults import (
    accepts_and_resets,
    accepts_by_half,
    accepts_slowly,
    accepts_with_a_page,
    resets,
    says,
)
from tests.scheduler.twilio_double.messages import ACCOUNT, AUTH_TOKEN, Callback, Double
from tests.scheduler.twilio_double.serving import running

__all__ = [
    "ACCOUNT",
    "AUTH_TOKEN",
    "Callback",
    "Double",
    "accepts_and_resets",
    "accepts_by_half",
    "accepts_slowly",
    "accepts_with_a_page",
    "resets",
    "running",
    "says",
]
