"""The MR study: the same head, T1 and T2 weighted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian, MRImageStorage, RLELossless

from dcmdata.generate.objects.files import write
from dcmdata.generate.objects.headers import add, add_acquisition, clock, new_instance
from dcmdata.generate.objects.images import AXIAL, add_pixels, add_plane, axis
from dcmdata.generate.objects.studies import MR_HEAD, Series
from dcmdata.generate.phantoms.head import T1, T2, head
from dcmdata.generate.phantoms.noise import Floats, grain
from dcmdata.generate.phantoms.painting import Grid, sample

MATRIX = 192
FIELD_MM = 230.0
CENTER_Y = -4.0


@dataclass(frozen=True)
class Contrast:
    """How one series was 'acquired'."""

    series: Series
    signal: dict[str, float]
    repetition_ms: str
    echo_ms: str
    echo_train: int
    window: tuple[int, int]
    transfer_syntax: UID


CONTRASTS = (
    Contrast(
        Series(MR_HEAD, "1-t1-axial", 1, "MR", "T1 axial", "Brain routine", "134200", "HFS"),
        T1, "550", "12", 1, (380, 800), ImplicitVRLittleEndian,
    ),
    Contrast(
        Series(MR_HEAD, "2-t2-axial", 2, "MR", "T2 axial", "Brain routine", "134800", "HFS"),
        T2, "4200", "98", 15, (480, 1050), RLELossless,
    ),
)  # fmt: skip


def write_mr_study(output: Path) -> list[Path]:
    """Write both series below `output`."""
    paths: list[Path] = []
    for contrast in CONTRASTS:
        folder = output / MR_HEAD.folder / contrast.series.folder
        instances = enumerate(_instances(contrast), 1)
        paths += [write(ds, folder, f"IM{n:04d}", contrast.transfer_syntax) for n, ds in instances]
    return paths


def _volume(contrast: Contrast, grid: Grid) -> Floats:
    """Signal with the coil's uneven brightness; the noise of a magnitude image is never negative."""
    clean = sample(head(), contrast.signal, grid, edge=1.4)
    z, y, x = grid.z[:, None, None], grid.y[:, None], grid.x
    coil = 0.94 + 0.10 * (x**2 + y**2) / 80**2 + 0.04 * y / 90 - 0.02 * z / 60
    name = contrast.series.folder
    real = clean * coil + 7 * grain(f"{name} real", clean.shape)
    imaginary = 7 * grain(f"{name} imaginary", clean.shape)
    return np.asarray(np.sqrt(real**2 + imaginary**2))


def _instances(contrast: Contrast) -> Iterator[Dataset]:
    step = FIELD_MM / MATRIX
    grid = Grid(axis(MATRIX, step), axis(MATRIX, step, CENTER_Y), axis(21, 6.0, 8.0))
    volume = _volume(contrast, grid)
    for number, (height, plane) in enumerate(zip(grid.z.tolist(), volume, strict=True), 1):
        ds = _header(contrast, number)
        ds.SliceLocation = str(height)
        add_plane(ds, (grid.x[0], grid.y[0], height), AXIAL, step, 5)
        add_pixels(ds, plane, bits_stored=12)
        yield ds


def _header(contrast: Contrast, number: int) -> Dataset:
    """An MR Image (PS3.3 A.4) without plane and pixels."""
    series = contrast.series
    time = clock(series.time, number)
    ds = new_instance(series, MRImageStorage, number, time)
    add_acquisition(ds, series, time, number=series.number)
    add(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", "M", "SE"],
        FrameOfReferenceUID=series.study.frame_of_reference_uid,
    )
    add(ds, PatientOrientation=["L", "P"], SpacingBetweenSlices="6", LossyImageCompression="00")
    add(
        ds,
        ScanningSequence="SE",
        SequenceVariant="SK",
        ScanOptions="",
        MRAcquisitionType="2D",
        SequenceName="se2d",
    )
    add(
        ds,
        RepetitionTime=contrast.repetition_ms,
        EchoTime=contrast.echo_ms,
        EchoTrainLength=contrast.echo_train,
    )
    add(
        ds,
        MagneticFieldStrength="1.5",
        ImagingFrequency="63.87",
        ImagedNucleus="1H",
        EchoNumbers=1,
        FlipAngle="90",
    )
    add(ds, NumberOfAverages="2", PercentSampling="100", PercentPhaseFieldOfView="100", PixelBandwidth="130")
    add(
        ds,
        AcquisitionMatrix=[0, MATRIX, MATRIX, 0],
        InPlanePhaseEncodingDirection="ROW",
        ReceiveCoilName="Head",
    )
    add(ds, WindowCenter=str(contrast.window[0]), WindowWidth=str(contrast.window[1]))
    return ds
