"""An invented BreCLIM-2 from one seed: patients, what befalls them, how they feel, which forms they fill in."""

from analysis.simulation.simulated import PlannedForm, SimulatedTrial, simulate

__all__ = ["PlannedForm", "SimulatedTrial", "simulate"]
