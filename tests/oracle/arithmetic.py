"""Exact arithmetic on fractions, so that no threshold and no rounding depends on floating point."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor


def round_half_away(value: Fraction, decimals: int) -> Fraction:
    """Round to a number of decimals, halves away from zero."""
    scaled = floor(abs(value) * 10**decimals + Fraction(1, 2))
    rounded = Fraction(scaled, 10**decimals)
    return -rounded if value < 0 else rounded


def round9(value: Fraction) -> Fraction:
    """Round to the 9 decimals at which values are compared with thresholds."""
    return round_half_away(value, 9)


def clamp(value: Fraction, low: float, high: float) -> Fraction:
    """Return the value, or the bound it lies beyond."""
    return min(max(value, Fraction(low)), Fraction(high))


def mean(values: Sequence[Fraction | int]) -> Fraction | None:
    """Return the arithmetic mean; None of nothing."""
    if not values:
        return None
    return Fraction(sum(values)) / len(values)


def median(values: Sequence[Fraction]) -> Fraction | None:
    """Return the middle value, or the mean of the two middle ones; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def sample_standard_deviation(values: Sequence[int]) -> Fraction | None:
    """Return the standard deviation with n - 1, to 40 digits; None below two values."""
    if len(values) < 2:
        return None
    centre = Fraction(sum(values), len(values))
    variance = sum(((value - centre) ** 2 for value in values), Fraction(0)) / (len(values) - 1)
    with localcontext() as context:
        context.prec = 40
        return Fraction((Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt())


def slope(values: Sequence[int]) -> Fraction | None:
    """Return the least-squares slope of values, oldest first, on 0, 1, 2 ...; None below two values."""
    n = len(values)
    if n < 2:
        return None
    centre_x = Fraction(n - 1, 2)
    centre_y = Fraction(sum(values), n)
    above = sum(((i - centre_x) * (value - centre_y) for i, value in enumerate(values)), Fraction(0))
    below = sum(((i - centre_x) ** 2 for i in range(n)), Fraction(0))
    return above / below
