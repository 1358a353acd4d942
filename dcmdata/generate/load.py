"""Series in quantity, for benchmarks and load tests: quick to make, every UID distinct."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dcmdata.generate.ct import AXIAL_SOFT, axial_planes, new_ct
from dcmdata.generate.objects.files import encode, write
from dcmdata.generate.objects.images import AXIAL, add_pixels, add_plane
from dcmdata.generate.objects.studies import CT_TORSO, Series
from dcmdata.generate.objects.uids import uid
from dcmdata.generate.phantoms.noise import grain

_PLANES = 16  # of the phantom; a long series repeats each with noise that differs from slice to slice
_IMAGE_TYPE = ["ORIGINAL", "PRIMARY", "AXIAL"]
_LIMIT = 999_999  # seeds and series have six digits; the last of them is the template's


def write_ct_series(folder: Path, slices: int = 400, matrix: int = 512, seed: int = 0) -> list[Path]:
    """Write one axial CT series into `folder`: 16-bit, uncompressed, 2 * matrix² bytes of pixels a slice.

    Raises ValueError for a seed outside 0 to 999,998.
    """
    _check(seed=seed)
    series = _series("large", seed, 0)
    step, thickness = 360.0 / matrix, 230.0 / slices
    planes = axial_planes(np.linspace(-130.0, 100.0, min(slices, _PLANES)), matrix)[::-1] + 1024
    noise = 9 * grain(f"large {seed}", (matrix, matrix))
    paths = []
    for index in range(slices):
        ds = new_ct(series, index + 1, _IMAGE_TYPE, "STANDARD", (40, 400))
        add_plane(ds, (-180 + step / 2, -172 + step / 2, 100.0 - index * thickness), AXIAL, step, thickness)
        shifted = np.roll(noise, (index // matrix, index), axis=(0, 1))
        add_pixels(ds, planes[index * len(planes) // slices] + shifted, bits_stored=12)
        paths.append(write(ds, folder, f"IM{index + 1:05d}"))
    return paths


def write_small_series(
    folder: Path, series: int = 30, instances: int = 4, seed: int = 0, matrix: int = 16
) -> list[Path]:
    """Write many CT series of tiny images, each a study of its own in a folder of its own below `folder`.

    Another `seed` gives other UIDs, patients and accession numbers. One file is encoded, and the others are
    made by replacing values of the same length in it: thousands a second.
    Raises ValueError for a seed, or a number of series, outside 0 to 999,998.
    """
    _check(seed=seed, series=series)
    template = _template(matrix)
    marks = _values(_LIMIT, _LIMIT, _LIMIT)
    paths = []
    for index in range(series):
        subfolder = folder / f"{index + 1:05d}"
        subfolder.mkdir(parents=True, exist_ok=True)
        for number in range(1, instances + 1):
            content = template
            for mark, value in zip(marks, _values(seed, index, number), strict=True):
                content = content.replace(mark, value)
            path = subfolder / f"IM{number:05d}.dcm"
            path.write_bytes(content)
            paths.append(path)
    return paths


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        if not 0 <= value < _LIMIT:
            raise ValueError(f"{name} is {value}, allowed are 0 to {_LIMIT - 1}")


def _template(matrix: int) -> bytes:
    """The file of an instance whose values (those of `_values`) occur nowhere else."""
    series = _series("small", _LIMIT, _LIMIT)
    ds = new_ct(series, _LIMIT, _IMAGE_TYPE, "STANDARD", (40, 400))
    add_plane(ds, (-180, -172, 5 * _LIMIT), AXIAL, 360 / matrix, 5)
    add_pixels(ds, 1024 + 40 * grain("small", (matrix, matrix)), bits_stored=12)
    return encode(ds)


def _values(seed: int, index: int, number: int) -> tuple[bytes, ...]:
    """What is written differently in each file, each as long as in all others."""
    series = _series("small", seed, index)
    texts = (
        series.study.instance_uid,
        series.study.frame_of_reference_uid,
        series.instance_uid,
        uid(series.instance_uid, number),
        series.study.patient.patient_id,
        series.study.patient.name,
        series.study.accession_number,
        f"{5 * number:>7}",  # slice position; before the instance number, which is shorter
        f"{number:>6}",
    )
    return tuple(text.encode("ascii") for text in texts)


def _series(kind: str, seed: int, index: int) -> Series:
    """A series in a study, with a patient, of its own."""
    name = f"{seed:06d}-{index:06d}"
    initial = kind[0].upper()
    patient = replace(
        CT_TORSO.patient, name=f"Phantom^{kind.title()} {name}", patient_id=f"PHANTOM-{initial}-{name}"
    )
    study = replace(
        CT_TORSO,
        patient=patient,
        accession_number=f"{initial}{name}",
        instance_uid=uid(kind, seed, index),
        frame_of_reference_uid=uid(kind, seed, index, "frame of reference"),
    )
    return replace(AXIAL_SOFT, study=study)
