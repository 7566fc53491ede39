"""Survival by arm: curves, their comparison, hazard ratios."""

from analysis.survival.comparison import LogRank, logrank
from analysis.survival.curves import KaplanMeier, kaplan_meier
from analysis.survival.hazards import Cox, cox

__all__ = ["Cox", "KaplanMeier", "LogRank", "cox", "kaplan_meier", "logrank"]
