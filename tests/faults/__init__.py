"""Faults on purpose: processes killed, databases crashed, disks filled, answers lost on the way back."""
