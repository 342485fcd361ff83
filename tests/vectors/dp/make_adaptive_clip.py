#!/usr/bin/env python3
"""Makes adaptive_clip.json: what a step with adaptive clipping is worth, without the formula that the code uses.

Usage: tests/vectors/dp/make_adaptive_clip.py > tests/vectors/dp/adaptive_clip.json

A step releases a sum of gradients and a count, each with Gaussian noise. One example, drawn with probability q, moves the two together
by (1, 1/2), in units of the clipping norm and of examples. delta(epsilon) of that pair is computed here in two dimensions, by the
trapezoidal rule, in both directions. The trace follows section 2.1 of Andrew, Thakkar, McMahan and Ramaswamy 2021 (arXiv 1905.03871)
from noisy counts that are given.
"""

import json
import math


def deltas(q, sigma_gradient, sigma_count, epsilon):
    """Hockey-stick divergence of Q' = (1-q) Q + q P from Q and of Q from Q': Q at (0, 0), P at (1, 1/2)."""
    shift = (1 / sigma_gradient, 0.5 / sigma_count)
    per_deviation, reach = 24, 9
    step = 1 / per_deviation
    ends = [(-reach * per_deviation, int((reach + s) * per_deviation) + 1) for s in shift]
    axis = [[(i * step, math.exp(-((i * step) ** 2) / 2)) for i in range(*end)] for end in ends]
    remove = add = 0.0
    growth = math.exp(epsilon)
    for x, wx in axis[0]:
        first = math.exp(x * shift[0] - shift[0] ** 2 / 2)
        for y, wy in axis[1]:
            ratio = 1 - q + q * first * math.exp(y * shift[1] - shift[1] ** 2 / 2)
            mass = wx * wy
            if ratio > growth:
                remove += mass * (ratio - growth)
            if growth * ratio < 1:
                add += mass * (1 - growth * ratio)
    scale = step * step / (2 * math.pi)
    return remove * scale, add * scale


def noise_row(q, z, count_multiplier, epsilon):
    sigma_count = z * count_multiplier
    # The gradient's deviation with which the two are worth z, found by bisection on delta at q = 1, where
    # the Gaussian mechanism's delta is a closed form (Balle and Wang 2018).
    def phi(x):
        return math.erfc(-x / math.sqrt(2)) / 2

    wanted = phi(0.5 / z - epsilon * z) - math.exp(epsilon) * phi(-0.5 / z - epsilon * z)
    low, high = z, 3 * z
    for _ in range(18):
        middle = (low + high) / 2
        if max(deltas(1, middle, sigma_count, epsilon)) > wanted:
            low = middle
        else:
            high = middle
    sigma_gradient = (low + high) / 2
    return {"q": q, "z": z, "count_multiplier": count_multiplier, "sigma_gradient": sigma_gradient,
            "sigma_count": sigma_count, "epsilon": epsilon, "delta": max(deltas(q, sigma_gradient, sigma_count, epsilon))}


def trace(first_norm, quantile, rate, size, noisy_counts):
    norms, norm = [], first_norm
    for count in noisy_counts:
        within = count / size + 0.5  # the paper's b-bar; its b_i - 1/2 are what is summed
        norm *= math.exp(-rate * (within - quantile))
        norms.append(norm)
    return {"first_norm": first_norm, "quantile": quantile, "rate": rate, "size": size, "noisy_counts": noisy_counts, "norms": norms}


print(json.dumps({
    "meta": "made by make_adaptive_clip.py; add or remove one example; gradient tolerance 1e-4 relative, epsilon 2e-3",
    "noise": [noise_row(*row) for row in [
        (1, 1.0, 1.0, 1.0), (1, 2.0, 0.75, 0.3), (0.5, 1.0, 1.0, 0.5), (0.5, 0.7, 2.0, 1.0),
        (0.1, 1.0, 1.0, 0.2), (0.1, 1.5, 0.6, 0.1), (0.01, 0.8, 10.0, 0.1)]],
    "trace": [trace(1.0, 0.5, 0.2, 100.0, [50.0, 40.0, -10.5, -50.0, 3.25]),
              trace(0.1, 0.9, 1.0, 32.0, [-16.0, -12.0, 8.0, 15.5])]}, indent=1))
