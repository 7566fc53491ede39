"""What would the difference be if missing scores of the living were otherwise than they seem?"""

from analysis.imputation.imputed import Imputed, estimate
from analysis.imputation.strategies import STRATEGIES

__all__ = ["STRATEGIES", "Imputed", "estimate"]
