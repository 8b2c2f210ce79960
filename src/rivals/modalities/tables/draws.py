"""Random numbers that depend on a row's number alone, so that what is kept on disk is a pure function of the table."""

import numpy as np


def uniforms(first: int, count: int, stream: int) -> np.ndarray:
    """One number in [0, 1) for each of the rows first, first + 1, ...: (count,) float64.

    The finaliser of SplitMix64 (Steele et al., 2014) of the row's number, moved by `stream`.
    """
    with np.errstate(over="ignore"):  # arithmetic is modulo 2**64
        mixed = np.arange(first, first + count, dtype=np.uint64) + np.uint64(1)
        mixed = (mixed + np.uint64(stream + 1) * np.uint64(0xD1B54A32D192ED03)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
