"""Survival by arm: curves, their comparison, hazard ratios, restricted means."""

from analysis.survival.comparison import LogRank, logrank
from analysis.survival.curves import KaplanMeier, follow_up, kaplan_meier
from analysis.survival.hazards import Cox, cox
from analysis.survival.outcome import NoProbability
from analysis.survival.proportionality import ProportionalHazards, ph_test
from analysis.survival.restricted import HorizonBeyondFollowUp, RestrictedMean, rmst

__all__ = [
    "Cox",
    "HorizonBeyondFollowUp",
    "KaplanMeier",
    "LogRank",
    "NoProbability",
    "ProportionalHazards",
    "RestrictedMean",
    "cox",
    "follow_up",
    "kaplan_meier",
    "logrank",
    "ph_test",
    "rmst",
]
