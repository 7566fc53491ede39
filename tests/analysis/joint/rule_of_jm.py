"""By which rule does R's JM 1.5-2 sum up what is not known?

`jointModel` with a method "…-aGH": Gauss and Hermite's five points a random effect where the formula has few of them,
put once and for all at the modes that the mixed model alone (nlme) gives, spread by that root of its inverse
information which is upper triangular; the cumulative hazard by Gauss's seven points a piece, or by Kronrod's fifteen
from 0 to the end.
"""

from dataclasses import replace

import numpy as np

from analysis.joint.likelihood import Centre, Likelihood

POINTS, IN_A_PIECE = 5, 7
BESIDE_A_BOUND = 1e-6  # a time that is a bound belongs to the piece that it ends
# of Gauss and Kronrod (QUADPACK, qk15), right half
KRONROD = [
    (0.991455371120812639206854697526329, 0.022935322010529224963732008058970),
    (0.949107912342758524526189684047851, 0.063092092629978553290700663189204),
    (0.864864423359769072789712788640926, 0.104790010322250183839876322541518),
    (0.741531185599394439863864773280788, 0.140653259715525918745189590510238),
    (0.586087235467691130294144838258730, 0.169004726639267902826583426598550),
    (0.405845151377397166906606412076961, 0.190350578064785409913256402421014),
    (0.207784955007898467600689403773245, 0.204432940075298892414161999234649),
    (0.0, 0.209482141084727828012999174891714),
]


def likelihood_of_jm(data, design, baseline):
    """Our likelihood, its hazard summed up at JM's times."""
    end = data.time
    if baseline == "weibull":
        bounds = data.bounds
        halves = np.array(KRONROD)
        node, length = np.concatenate([halves, (halves * [-1, 1])[:-1]]).T
        at, weight = end[:, None] / 2 * (node + 1), end[:, None] / 2 * length
        piece, last = np.zeros(len(node), dtype=int), np.zeros(len(end), dtype=int)
    else:
        inner = np.unique(np.quantile(end, np.arange(1, 7) / 7)) + BESIDE_A_BOUND
        bounds = np.array([0, *inner, np.inf])
        node, length = np.polynomial.legendre.leggauss(IN_A_PIECE)
        low, high = np.minimum(bounds[:-1], end[:, None]), np.minimum(bounds[1:], end[:, None])
        at = (low[:, :, None] + (high - low)[:, :, None] * (node + 1) / 2).reshape(len(end), -1)
        weight = ((high - low)[:, :, None] * length / 2).reshape(len(end), -1)
        piece = np.repeat(np.arange(len(bounds) - 1), IN_A_PIECE)
        last = np.searchsorted(inner, end, side="right")
    everybody = design.subjects.loc[np.repeat(np.arange(len(end)), at.shape[1])].reset_index(drop=True)
    x_at = design.at(everybody, at.ravel()).reshape(*at.shape, -1)
    there = replace(data, at=at, weight=weight, x_at=x_at, piece=piece, last_piece=last, bounds=bounds)
    return Likelihood(there, baseline, nodes=POINTS)


def centre_of_jm(likelihood, lme):
    """Where the mixed model of the scores alone has each patient's random effects."""
    data, variance = likelihood.data, lme["sigma"] ** 2
    information = likelihood.squares / variance + np.linalg.inv(lme["varcorr"])
    left = data.y - data.x @ [term["Value"] for term in lme["fixed"].values()]
    pull = likelihood.summed(likelihood.z * left[:, None]) / variance
    upper = np.transpose(np.linalg.cholesky(information), (0, 2, 1))
    return Centre(np.linalg.solve(information, pull[:, :, None])[:, :, 0], np.linalg.inv(upper))
