"""The looks: each reads, and changes nothing."""
