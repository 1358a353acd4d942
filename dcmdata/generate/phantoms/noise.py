"""Noise that is the same on every machine and with every NumPy."""

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# NumPy promises a stable stream for its bit generators only, not for its distributions (NEP 19).
_UINT16_SUM_MEAN = 4 * 32767.5
_UINT16_SUM_STD = (4 * (65536.0**2 - 1) / 12) ** 0.5


def words(seed: str, count: int) -> NDArray[np.uint64]:
    """`count` random 64-bit words that depend on `seed` alone."""
    digest = hashlib.sha256(seed.encode()).digest()
    return np.random.PCG64(int.from_bytes(digest[:16], "big")).random_raw(count)


def uniform(seed: str, count: int) -> Floats:
    """`count` numbers in [0, 1)."""
    return (words(seed, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def gaussian(seed: str, shape: tuple[int, ...]) -> Floats:
    """Nearly normal numbers, mean 0 and standard deviation 1: sums of four uniform ones."""
    quarters = words(seed, int(np.prod(shape))).view(np.uint16).reshape(*shape, 4)
    return np.asarray((quarters.sum(axis=-1, dtype=np.int64) - _UINT16_SUM_MEAN) / _UINT16_SUM_STD)


def grain(seed: str, shape: tuple[int, ...], passes: int = 1) -> Floats:
    """Noise blurred in the plane of the image, as a reconstruction filter leaves it; standard deviation 1."""
    noise, kernel = gaussian(seed, shape), np.array([1.0])
    for _ in range(passes):
        kernel = np.convolve(kernel, [0.5, 1.0, 0.5])
        for axis in (-1, -2):
            noise = noise + 0.5 * (np.roll(noise, 1, axis) + np.roll(noise, -1, axis))
    return noise / float((kernel**2).sum())


def waves(seed: str, wavelength: float, count: int = 28) -> tuple[Floats, Floats]:
    """Wave vectors (count, 3) in 1/mm and phases (count,) of a smooth random field around `wavelength` mm."""
    numbers = uniform(seed, 4 * count).reshape(4, count)
    height = 2 * numbers[0] - 1
    turn = 2 * np.pi * numbers[1]
    radius = np.sqrt(1 - height**2)
    direction = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
    length = 2 * np.pi / (wavelength * (0.8 + 0.4 * numbers[2]))
    return direction * length[:, None], 2 * np.pi * numbers[3]
