"""`python -m epro` is the command `epro`."""

from epro.cli import main

main()
