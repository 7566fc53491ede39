"""Which way is down, and how far, when only values and gradients are known?

Limited-memory BFGS (Nocedal 1980; Byrd, Lu, Nocedal and Zhu 1995, without bounds) with the line search of More and
Thuente (1994), with the constants of both papers' programs, so that the steps are those of R's optim. Written out
because library versions call threaded linear algebra for a dozen parameters, which costs more than the likelihood.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Function = Callable[[Numbers], tuple[float, Numbers]]

ENOUGH_FALL, ENOUGH_FLAT, NARROW = 1e-3, 0.9, 0.1
FARTHEST, TRIES = 1e10, 20


def descended(function: Function, start: Numbers, *, memory: int, least_gain: float, most_steps: int) -> Numbers:
    """The point where a step lowers the function by less than least_gain of its size. function: value and gradient."""
    x, (value, gradient) = start, function(start)
    pairs: list[tuple[Numbers, Numbers]] = []
    for step_number in range(most_steps):
        direction = _direction(gradient, pairs)
        length = 1.0 if step_number else min(1.0 / float(np.sqrt(gradient @ gradient)), FARTHEST)
        found = _searched(function, x, value, gradient, direction, length)
        if found is None:
            return x
        moved, lower, new = found
        small = value - lower <= least_gain * max(abs(value), abs(lower), 1.0)
        step, bend = moved - x, new - gradient
        if step @ bend > np.finfo(np.float64).eps * float(bend @ bend):
            pairs = [*pairs[-(memory - 1) :], (step, bend)]
        x, value, gradient = moved, lower, new
        if small:
            break
    return x


def _direction(gradient: Numbers, pairs: list[tuple[Numbers, Numbers]]) -> Numbers:
    """Minus the inverse curvature, as the pairs of steps and bends have it, times the gradient."""
    q, shares = gradient.copy(), []
    for step, bend in reversed(pairs):
        share = float(step @ q) / float(step @ bend)
        shares.append(share)
        q -= share * bend
    if pairs:
        step, bend = pairs[-1]
        q *= float(step @ bend) / float(bend @ bend)
    for (step, bend), share in zip(pairs, reversed(shares), strict=True):
        q += step * (share - float(bend @ q) / float(step @ bend))
    return -q


@dataclass(frozen=True)
class _At:
    """A length along the direction, with the value and the slope there."""

    length: float
    value: float
    slope: float

    def tilted(self, slope: float) -> "_At":
        return _At(self.length, self.value - self.length * slope, self.slope - slope)


def _searched(
    function: Function, x: Numbers, value: float, gradient: Numbers, direction: Numbers, length: float
) -> tuple[Numbers, float, Numbers] | None:
    """A point low and flat enough; None where there is none."""
    origin = _At(0.0, value, float(gradient @ direction))
    if origin.slope >= 0:
        return None
    wanted = ENOUGH_FALL * origin.slope
    best, other, bracketed, tilted = origin, origin, False, True
    low, high, width, before = 0.0, 5 * length, FARTHEST, 2 * FARTHEST
    for _ in range(TRIES):
        moved = x + length * direction
        there, slopes = function(moved)
        now = _At(length, there, float(slopes @ direction))
        limit = value + length * wanted
        tilted = tilted and not (now.value <= limit and now.slope >= 0)
        stuck = bracketed and (length <= low or length >= high or high - low <= NARROW * high)
        flat = abs(now.slope) <= ENOUGH_FLAT * -origin.slope
        if (now.value <= limit and flat) or stuck or (length == FARTHEST and now.slope <= wanted):
            return moved, there, slopes
        if tilted and limit < now.value <= best.value:
            ends = best.tilted(wanted), other.tilted(wanted), now.tilted(wanted)
        else:
            ends = best, other, now
        length, bracketed, case = _next(*ends, bracketed, low, high)
        best, other = _kept(best, other, now, case)
        if bracketed:
            if abs(other.length - best.length) >= 0.66 * before:
                length = best.length + (other.length - best.length) / 2
            before, width = width, abs(other.length - best.length)
            low, high = sorted((best.length, other.length))
        else:
            low, high = length + 1.1 * (length - best.length), length + 4 * (length - best.length)
        length = min(max(length, 0.0), FARTHEST)
        if bracketed and (length <= low or length >= high or high - low <= NARROW * high):
            length = best.length
    return None


def _kept(best: _At, other: _At, now: _At, case: int) -> tuple[_At, _At]:
    """The ends of the interval that holds a minimum."""
    if case == 1:
        return best, now
    return now, best if case == 2 else other


def _next(best: _At, other: _At, now: _At, bracketed: bool, low: float, high: float) -> tuple[float, bool, int]:
    """The next length, whether a minimum is bracketed, and which of the four cases of the paper it was."""
    if now.value > best.value:
        cubic = _cubic(best, now)
        gap = now.length - best.length
        square = best.length + best.slope / ((best.value - now.value) / gap + best.slope) / 2 * gap
        near = abs(cubic - best.length) < abs(square - best.length)
        return (cubic if near else cubic + (square - cubic) / 2), True, 1
    secant = _secant(best, now, high)
    if now.slope * np.sign(best.slope) < 0:
        cubic = _cubic(now, best)
        return (cubic if abs(cubic - now.length) > abs(secant - now.length) else secant), True, 2
    if abs(now.slope) < abs(best.slope):
        return _flatter(best, other, now, secant, bracketed, low, high), bracketed, 3
    if bracketed:
        return _cubic(now, other), True, 4
    return (high if now.length > best.length else low), False, 4


def _secant(best: _At, now: _At, far: float) -> float:
    """Where the slope would be 0 if it changed evenly."""
    bend = now.slope - best.slope
    return now.length + now.slope / bend * (best.length - now.length) if bend else far


def _cubic(one: _At, two: _At) -> float:
    """Where the cubic through both ends is lowest, reckoned from the first."""
    theta = 3 * (one.value - two.value) / (two.length - one.length) + one.slope + two.slope
    size = max(abs(theta), abs(one.slope), abs(two.slope))
    gamma = size * sqrt(max(0.0, (theta / size) ** 2 - (one.slope / size) * (two.slope / size)))
    gamma = -gamma if two.length < one.length else gamma
    share = ((gamma - one.slope) + theta) / (((gamma - one.slope) + gamma) + two.slope)
    return one.length + share * (two.length - one.length)


def _flatter(best: _At, other: _At, now: _At, secant: float, bracketed: bool, low: float, high: float) -> float:
    """The slope falls in size: the cubic counts only where it leads beyond, and never far past the bracket."""
    theta = 3 * (best.value - now.value) / (now.length - best.length) + best.slope + now.slope
    size = max(abs(theta), abs(best.slope), abs(now.slope))
    gamma = size * sqrt(max(0.0, (theta / size) ** 2 - (best.slope / size) * (now.slope / size)))
    gamma = -gamma if now.length > best.length else gamma
    share = ((gamma - now.slope) + theta) / ((gamma + (best.slope - now.slope)) + gamma)
    beyond = now.length > best.length
    cubic = now.length + share * (best.length - now.length) if share < 0 and gamma != 0 else high if beyond else low
    nearer = abs(cubic - now.length) < abs(secant - now.length)
    if not bracketed:
        return min(max(secant if nearer else cubic, low), high)
    length = cubic if nearer else secant
    limit = now.length + 0.66 * (other.length - now.length)
    return min(limit, length) if beyond else max(limit, length)
