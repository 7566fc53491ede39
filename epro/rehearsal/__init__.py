"""A simulated trial, played through the same verbs a nurse and a patient use, with the clock handed in."""
