from annotator.learning.queries.base import Picks, Pool, Strategy, apart, candidates_of, top_k


def random(pool: Pool, k: int, rng) -> Picks:
    rows = candidates_of(pool, k)
    chosen = apart(rng.permutation(rows), pool.duplicates, k)
    return Picks(chosen, ["drawn at random"] * len(chosen))


QUERIES = {"random": random, "mixed": random}
