"""Repeated measures: means by arm and visit under a covariance matrix of a patient's visits."""

from analysis.mmrm.design import CollinearDesign, ConstantOutcome, DuplicateForms
from analysis.mmrm.model import MMRM, CovarianceFellBack, fit

__all__ = ["MMRM", "CollinearDesign", "ConstantOutcome", "CovarianceFellBack", "DuplicateForms", "fit"]
