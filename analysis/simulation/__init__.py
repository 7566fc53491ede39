"""An invented BreCLIM-2 from one seed: patients, what befalls them, how they feel, which forms they fill in.

And many of them: what would an estimator find in each?
"""

from analysis.simulation.kernel import Estimates, estimated
from analysis.simulation.repeating import hazard_ratios, replicates
from analysis.simulation.simulated import PlannedForm, SimulatedTrial, simulate

__all__ = ["Estimates", "PlannedForm", "SimulatedTrial", "estimated", "hazard_ratios", "replicates", "simulate"]
