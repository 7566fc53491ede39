"""The cells of a report under their ids, as a reader with the tables alone would write them."""

import numpy as np

ARMS, OTHER, PAIR, C30 = ("control", "surgery"), "surgery", "surgery - control", "qlq-c30"
STRATA = ["er", "metastases"]


def interval(id, row, name="estimate"):
    """An estimate and, where there are any, its bounds."""
    cells = {id: row[name]}
    if np.isfinite(row["lower"]) or np.isfinite(row["upper"]):
        cells |= {f"{id}.lower": row["lower"], f"{id}.upper": row["upper"]}
    return cells


def arm_of(patients):
    """1 for who had surgery, as a column of covariates."""
    return (patients["arm"] == OTHER).astype(float).to_frame(OTHER)


def shares(counts, patients):
    """Counts by arm as shares of the arm."""
    return {f"{key}.share": n / (patients["arm"] == key.rpartition(".")[2]).sum() for key, n in counts.items()}


def by_arm(id, patients, counted):
    """How many patients of each arm a mask holds for."""
    return {f"{id}.{arm}": (counted & (patients["arm"] == arm)).sum() for arm in ARMS}
