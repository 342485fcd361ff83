"""SECAGG1 on a ring, from docs/secure-aggregation.md (2.1, 2.4, 2.8): genesis, cohorts, order, neighbours, parameters.

Tails of the hypergeometric distribution are sums of exact integers here, so that nothing is shared with the fixed-point
arithmetic of the C++ code.
"""
from functools import lru_cache
from itertools import accumulate
from math import comb

from primitives import blake2b, ed25519_public
from secagg1 import sign, thresholds, u32, u64

SIGMA, ETA = 64, 20
FULL_CERTIFICATE_MAX = 4096


# ---- 2.1: genesis and draws


def commitment(run, member, r):
    return blake2b("SA1 gen", run + u32(member) + r)


def genesis_proof(run, roster_hash, members):
    """`members`: id -> (identity seed, r). The list's digest, what everybody signs, and the genesis."""
    ids = sorted(members)
    committed = {i: commitment(run, i, members[i][1]) for i in ids}
    digest = blake2b("SA1 genl", run + roster_hash + u32(len(ids)) + b"".join(u32(i) + committed[i] for i in ids))
    said = [{"id": i, "verify_key": ed25519_public(members[i][0]), "r": members[i][1], "commitment": committed[i],
             "g1": sign(members[i][0], "SA1 sig gen1", run + u32(i) + committed[i]),
             "g3": sign(members[i][0], "SA1 sig gen3", run + u32(i) + digest + members[i][1])} for i in ids]
    value = blake2b("SA1 gens", run + roster_hash + b"".join(u32(i) + members[i][1] for i in ids))
    return {"run": run, "roster_hash": roster_hash, "members": said, "digest": digest, "genesis": value}


def round_seed(genesis, number):
    return blake2b("SA1 rnd", genesis + u64(number))


def drawn(genesis, number, ids, size):
    """The cohort of a round, ascending."""
    seed = round_seed(genesis, number)
    if size in (0, len(ids)):
        return sorted(ids)
    return sorted(sorted(ids, key=lambda i: blake2b("SA1 coh", seed + u32(i)))[:size])


def ring(genesis, number, cohort):
    seed = round_seed(genesis, number)
    return sorted(cohort, key=lambda i: blake2b("SA1 ring", seed + u32(i)))


def neighbours(order, k, member):
    """The k/2 on either side, ascending."""
    n, place = len(order), order.index(member)
    steps = [s for s in range(-k // 2, k // 2 + 1) if s != 0]
    return sorted(order[(place + s) % n] for s in steps)


# ---- 2.4: parameters


@lru_cache(maxsize=8)
def tails(N, K, s):
    """How many samples of s out of N have x or more of the K marked ones, for x = 0 .. s + 1."""
    ways = [comb(K, x) * comb(N - K, s - x) for x in range(s + 1)] + [0]
    return list(accumulate(reversed(ways)))[::-1]


def tail_is_below(N, K, s, at_least, factor, bits):
    """factor * P[Hyp(N, K, s) >= at_least] <= 2^-bits, exactly."""
    ways = tails(N, K, s)
    return (factor * ways[max(at_least, 0)]) << bits <= ways[0]


def least_circulant(n, C, d):
    """(k, t, q), or nothing where only the complete graph will do."""
    for k in range(2, n - 1, 2):
        q = next((x for x in range(k // 2 + 1) if tail_is_below(n, d, k // 2, x + 1, n, ETA + 1)), None)
        if q is None or 2 * q >= k or not tail_is_below(n, C, k, k - 2 * q, n * (n - k - 1) // 2, SIGMA + 1):
            continue
        low = next((t for t in range(2, k + 1) if tail_is_below(n - 1, C, k, t, n - C, SIGMA + 1)), None)
        fits = [t for t in range(low or k + 1, k + 1) if tail_is_below(n - 1, d, k, k - t + 1, n, ETA + 1)]
        if fits:
            # The greatest that C allows, less a quarter of the way to the least that A allows, rounded up.
            return k, fits[-1] - -(-(fits[-1] - low) // 4), q
    return None


def committee(n, C, d):
    """(witnesses, Q), or nothing."""
    for w in range(64, min(512, n - 1) + 1, 64):
        c = next(x for x in range(w + 1) if tail_is_below(n, C, w, x + 1, 1, SIGMA))
        quorum = (w + c) // 2 + 1
        if quorum <= w and tail_is_below(n, d, w, w - quorum + 1, 1, ETA):
            return w, quorum
    return None


def parameters(n, C, dropout_percent, full_graph_max=256):
    Q, t, s_min = thresholds(n, C)
    out = {"n": n, "C": C, "dropout_percent": dropout_percent, "graph": "complete", "k": n - 1, "t": t, "q": 0, "Q": Q,
           "s_min": s_min, "witnesses": n}
    found = least_circulant(n, C, n * dropout_percent // 100) if n > full_graph_max else None
    if not found:
        return out
    k, t, q = found
    out |= {"graph": "circulant", "k": k, "t": t, "q": q}
    few = committee(n, C, n * dropout_percent // 100) if n > FULL_CERTIFICATE_MAX else None
    if few:
        out |= {"witnesses": few[0], "Q": few[1]}
    return out


# ---- 2.8: published sums


def published_sum_blob(run, server_round):
    return blake2b("SA1 sum", run + u64(server_round))


def published_sum(server_round, h, n, C, survivors, packed):
    return u64(server_round) + h + u32(n) + u32(C) + u32(survivors) + packed
