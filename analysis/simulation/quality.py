"""How does each patient feel at each visit, and which options would she tick?

Latent vector z of 15 scales = b + u(t) + e with variances .50, .35, .15: b the person, u an Ornstein-Uhlenbeck process
with correlation exp(-months / 6), e the day; all three share the correlation between scales. Items follow from z and
the mean shifts of surgery, treatment, progression and the end of life (sizes assumed, shapes published).
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from analysis.simulation.course import Course
from analysis.simulation.published import CODES, HIGHER_IS_BETTER, ITEMS, SCALES, correlation_of_scales

Numbers = NDArray[np.float64]
Options = NDArray[np.int64]

PERSON, SLOW, DAY = 0.50, 0.35, 0.15
MEMORY_MONTHS = 6.0
DIP = {"QL": -10.0, "PF": -14.0, "RF": -22.0, "SF": -12.0, "FA": 16.0, "PA": 14.0, "AP": 10.0, "SL": 6.0}
DIP_AT, DIP_WIDTH = 1.5, 1.2  # months after surgery
KEPT = {"PF": -3.0, "DY": 4.0}  # after surgery, to month 12
KEPT_TO, GAIN_FROM = 12.0, 3.0
GAIN = {"QL": 1.5}
A_YEAR = {"QL": -1.0, "FA": 1.5}  # control
TREATED = {"NV": 4.0}  # control, while on chemotherapy
TREATED_TO = 6.0
PROGRESSED = {"QL": -8.0, "PF": -7.0, "RF": -9.0, "EF": -5.0, "FA": 9.0, "PA": 8.0}
DYING = {"QL": -22.0, "PF": -25.0, "FA": 24.0, "AP": 20.0}
DYING_MONTHS = 6.0


def latent(rng: Generator, patients: int, months: Numbers) -> Numbers:
    """(patients, visits, 15) standard normal scales, correlated between scales and over time. months: increasing."""
    root = np.linalg.cholesky(correlation_of_scales() + 1e-9 * np.eye(len(CODES)))

    def drawn(*shape: int) -> Numbers:
        return np.asarray(rng.standard_normal((*shape, len(CODES))) @ root.T, dtype=np.float64)

    slow = drawn(patients, len(months))
    for visit in range(1, len(months)):
        rho = np.exp(-(months[visit] - months[visit - 1]) / MEMORY_MONTHS)
        slow[:, visit] = rho * slow[:, visit - 1] + np.sqrt(1 - rho**2) * slow[:, visit]
    person, day = drawn(patients, 1), drawn(patients, len(months))
    return np.asarray(np.sqrt(PERSON) * person + np.sqrt(SLOW) * slow + np.sqrt(DAY) * day)


def shifts(course: Course, surgical: NDArray[np.bool_], months: Numbers) -> Numbers:
    """(patients, visits, 15) points by which each scale's score moves, on 0 to 100."""
    t = np.broadcast_to(months, (len(surgical), len(months)))
    control = ~surgical[:, None] & (t > 0)
    operated = t >= course.surgery[:, None]
    since = np.where(operated, t - np.where(np.isfinite(course.surgery), course.surgery, 0.0)[:, None], 0.0)
    left = np.clip(1 - (course.death[:, None] - t) / DYING_MONTHS, 0, 1)
    terms = [
        (DIP, np.where(operated, np.exp(-(((since - DIP_AT) / DIP_WIDTH) ** 2)), 0.0)),
        (KEPT, operated & (t <= KEPT_TO)),
        (GAIN, operated & (t >= GAIN_FROM)),
        (A_YEAR, control * t / 12),
        (TREATED, control & (t <= TREATED_TO)),
        (PROGRESSED, t >= course.progression[:, None]),
        (DYING, left),
    ]
    total = np.zeros((*t.shape, len(CODES)))
    for sizes, weight in terms:
        for code, size in sizes.items():
            total[:, :, CODES.index(code)] += size * weight
    return total


def items_of(rng: Generator, z: Numbers, shift: Numbers) -> Options:
    """(patients, visits, 30) the option of each item, lowest = 1."""
    options = np.empty((*z.shape[:2], ITEMS), dtype=np.int64)
    for at, (code, scale) in enumerate(SCALES.items()):
        burden = -1.0 if code in HIGHER_IS_BETTER and code != "QL" else 1.0
        mean = scale.mean + burden * shift[:, :, at, None]
        own = rng.standard_normal((*z.shape[:2], len(scale.items)))
        x = scale.loading * z[:, :, at, None] + np.sqrt(1 - scale.loading**2) * own
        steps = np.clip(np.rint(scale.steps * (mean + scale.sd * x) / 100), 0, scale.steps)
        options[:, :, [item - 1 for item in scale.items]] = steps.astype(np.int64) + 1
    return options


def true_health(z: Numbers, shift: Numbers) -> Numbers:
    """(patients, visits) the health behind QL, in its points, before it is rounded to options."""
    scale, at = SCALES["QL"], CODES.index("QL")
    return np.asarray(scale.mean + scale.sd * scale.loading * z[:, :, at] + shift[:, :, at], dtype=np.float64)


def global_health(options: Options) -> Numbers:
    """(patients, visits) the score QL, 0 to 100, of complete answers."""
    return np.asarray((options[:, :, 28:30].mean(axis=2) - 1) / 6 * 100, dtype=np.float64)
