"""The verbs: each changes things in one transaction with one audit entry."""
