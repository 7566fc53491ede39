"""Repeated measures: means by arm and visit under a covariance matrix of a patient's visits."""

from analysis.mmrm.model import MMRM, CovarianceFellBack, fit
from analysis.mmrm.products import ConstantOutcome
from analysis.mmrm.reading import CollinearDesign, DuplicateForms

__all__ = ["MMRM", "CollinearDesign", "ConstantOutcome", "CovarianceFellBack", "DuplicateForms", "fit"]
