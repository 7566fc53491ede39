"""Scanners from outside, against the real pages and against an application with flaws planted in it."""
