#!/usr/bin/env python3
"""Makes noise_tables.json: thresholds of the integer noise tables at 100 digits, from the
distributions' own formulas. Run by hand; the file is frozen.

A threshold belongs to a magnitude x >= 1: floor(2^127 P(|X| < x)), doubled. Only some are kept.
"""
import json
import pathlib

from mpmath import besseli, exp, floor, mp, mpf

mp.dps = 100
UNIT = 1 << 16



def case(mechanism, variance, upto, terms):
    if mechanism == "discrete_gaussian":
        v = mpf(variance) / UNIT
        weight = [exp(-mpf(x) ** 2 / (2 * v)) for x in range(terms)]
        total = weight[0] + 2 * sum(weight[1:])
    else:
        mu = mpf(variance) / UNIT
        weight = [besseli(x, mu) for x in range(upto + 1)]
        total = exp(mu)  # I_0 + 2 sum I_k
    below, thresholds = weight[0], []
    for x in range(1, upto):
        thresholds.append("%032x" % (2 * int(floor(mpf(2) ** 127 * below / total))))
        below += 2 * weight[x]
    return {"mechanism": mechanism, "variance": variance, "thresholds": thresholds}


def main():
    cases = [case("discrete_gaussian", v, upto, 2000)
             for v, upto in [(UNIT // 4, 6), (4 * UNIT, 23), (163840, 18), (100 * UNIT, 110), (16056321, 150)]]
    cases += [case("skellam", v, upto, 0)
              for v, upto in [(UNIT // 4, 20), (4 * UNIT, 40), (100 * UNIT, 120), (33554433, 200)]]
    path = pathlib.Path(__file__).with_name("noise_tables.json")
    path.write_text(json.dumps({"made_by": "make_noise_tables.py", "tables": cases}, indent=1) + "\n")


main()
