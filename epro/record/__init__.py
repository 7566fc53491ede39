"""What checks the record without the service: one file that a bare Python runs, copied into every archive."""
