"""A score and survival together: how the score runs when those who do badly die, and how it bears on the hazard."""

from analysis.joint.model import JointModel, fit
from analysis.joint.reading import FormAfterTheEnd

__all__ = ["FormAfterTheEnd", "JointModel", "fit"]
