"""Which figures does the simulated trial rest on, and where do they come from?

Scale means and SDs: advanced breast cancer reference, BMC Cancer 2020, s12885-020-07294-2, table 2.
Correlations between scales: PMC8784239, table 7.
Course after liver surgery: Surgery 2007;142:676; Br J Surg 2008;95:845; Br J Surg 2018;105:237.
Survival: liver-only disease in Sweden, Eur J Surg Oncol 2020;46:1006; its registry, PMC9381497.
Retest: J Clin Oncol 1995;13:1249. Drop-out with poor health: s12874-021-01259-0. What is assumed says so.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scenario = Literal["effect", "null", "non-proportional", "heavy missingness", "shared parameter"]
# null: surgery changes neither progression nor death. non-proportional: it hastens progression for three months and
# delays it afterwards. heavy missingness: few answer late. shared parameter: death follows from the true score.

DAYS_A_MONTH = 30.4375
ARMS = ("surgery", "control")
SITES = {"UME": 0.25, "GBG": 0.20, "STO": 0.20, "LKP": 0.10, "LUN": 0.15, "UPP": 0.10}  # assumed
ER_POSITIVE = 0.75
ONE_METASTASIS = 0.50  # assumed
SPEAKS_SWEDISH = 0.93  # assumed


@dataclass(frozen=True)
class LatentScale:
    """How items of a scale arise: option = round(k * (mean + sd * x) / 100), cut to 0..k, plus 1; x standard normal.

    mean, sd: points of burden, 0 to 100 (QL: of health); solved so that the scores have the published mean and SD.
    """

    items: tuple[int, ...]
    mean: float
    sd: float
    steps: int = 3

    @property
    def loading(self) -> float:
        """Correlation of an item's x with its scale's. Alone, an item is its scale."""
        return 1.0 if len(self.items) == 1 else 0.85


SCALES = {
    "PF": LatentScale((1, 2, 3, 4, 5), 13.1, 28.6),
    "RF": LatentScale((6, 7), 24.8, 47.4),
    "EF": LatentScale((21, 22, 23, 24), 31.9, 31.5),
    "CF": LatentScale((20, 25), 10.5, 36.1),
    "SF": LatentScale((26, 27), 14.8, 46.3),
    "QL": LatentScale((29, 30), 61.3, 30.4, steps=6),
    "FA": LatentScale((10, 12, 18), 33.7, 35.0),
    "NV": LatentScale((14, 15), -25.4, 52.0),
    "PA": LatentScale((9, 19), 24.0, 44.2),
    "DY": LatentScale((8,), 7.2, 42.9),
    "SL": LatentScale((11,), 28.2, 41.0),
    "AP": LatentScale((13,), 2.3, 53.1),
    "CO": LatentScale((16,), 0.7, 49.5),
    "DI": LatentScale((17,), -23.6, 37.9),
    "FI": LatentScale((28,), -1.3, 50.4),
}
CODES = tuple(SCALES)
ITEMS = 30
HIGHER_IS_BETTER = ("PF", "RF", "EF", "CF", "SF", "QL")  # as scores; as latent burden only QL keeps that direction

# Upper triangle of the correlations between the scores' sizes of burden, PF to PA; QL has the opposite sign.
BETWEEN_SCALES = {
    "PF": (0.57, 0.45, 0.47, 0.50, 0.37, 0.68, 0.38, 0.61),
    "RF": (0.28, 0.32, 0.46, 0.20, 0.48, 0.21, 0.41),
    "EF": (0.60, 0.50, 0.43, 0.54, 0.27, 0.46),
    "CF": (0.48, 0.26, 0.51, 0.30, 0.44),
    "SF": (0.37, 0.49, 0.27, 0.48),
    "QL": (0.46, 0.22, 0.48),
    "FA": (0.44, 0.67),
    "NV": (0.34,),
}
SINGLE_WITH_FATIGUE, SINGLE_WITH_OTHERS = 0.35, 0.20  # assumed


def correlation_of_scales() -> NDArray[np.float64]:
    """(15, 15) correlation of the latent scales, the nearest positive semidefinite one by cutting eigenvalues."""
    size = len(CODES)
    matrix = np.full((size, size), SINGLE_WITH_OTHERS)
    fatigue = CODES.index("FA")
    matrix[fatigue, :] = matrix[:, fatigue] = SINGLE_WITH_FATIGUE
    for code, row in BETWEEN_SCALES.items():
        at = CODES.index(code)
        matrix[at, at + 1 : at + 1 + len(row)] = row
        matrix[at + 1 : at + 1 + len(row), at] = row
    np.fill_diagonal(matrix, 1.0)
    sign = np.where(np.array(CODES) == "QL", -1.0, 1.0)
    values, vectors = np.linalg.eigh(matrix * np.outer(sign, sign))
    cut = (vectors * np.clip(values, 1e-8, None)) @ vectors.T
    scale = np.sqrt(np.diag(cut))
    return np.asarray(cut / np.outer(scale, scale), dtype=np.float64)
