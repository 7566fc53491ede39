"""How long, and how well: time in each state of health, and what it is worth."""

from analysis.qtwist.quality import QualityAdjusted, quality_adjusted
from analysis.qtwist.states import QTwist, estimate

__all__ = ["QTwist", "QualityAdjusted", "estimate", "quality_adjusted"]
