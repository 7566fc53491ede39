"""The service: who takes part, what they did, who may see it."""
