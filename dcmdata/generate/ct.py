"""The CT study: scout, axial soft tissue with contrast, coronal reformat for the lung."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless

from dcmdata.generate.objects.files import write
from dcmdata.generate.objects.headers import add, add_acquisition, clock, item, new_instance
from dcmdata.generate.objects.images import AXIAL, CORONAL, add_pixels, add_plane, axis
from dcmdata.generate.objects.studies import CT_TORSO, Series
from dcmdata.generate.phantoms.noise import Floats, grain
from dcmdata.generate.phantoms.painting import Grid, sample
from dcmdata.generate.phantoms.projection import line_integrals
from dcmdata.generate.phantoms.torso import HOUNSFIELD, table, torso

SCOUT = Series(CT_TORSO, "1-scout", 1, "CT", "Scout", "Chest routine", "091600", "HFS")
AXIAL_SOFT = Series(
    CT_TORSO, "2-axial-soft-tissue", 2, "CT", "Axial 5 mm soft tissue", "Chest routine", "092000", "HFS"
)
CORONAL_LUNG = Series(
    CT_TORSO, "3-coronal-lung", 3, "CT", "Coronal 3 mm lung", "Chest routine", "093000", "HFS"
)
OUTSIDE = -2000.0  # no rays passed there
CENTER_Y = 8.0


def write_ct_study(output: Path) -> list[Path]:
    """Write the three series below `output`."""
    paths: list[Path] = []
    for series, instances, syntax in (
        (SCOUT, _scout(), ExplicitVRLittleEndian),
        (AXIAL_SOFT, _axial(), ExplicitVRLittleEndian),
        (CORONAL_LUNG, _coronal(), JPEG2000Lossless),
    ):
        folder = output / CT_TORSO.folder / series.folder
        paths += [write(ds, folder, f"IM{n:04d}", syntax) for n, ds in enumerate(instances, 1)]
    return paths


def axial_planes(z: Floats, matrix: int, field_mm: float = 360.0) -> Floats:
    """The phantom on its table in Hounsfield units, without noise: (slices, rows, columns)."""
    step = field_mm / matrix
    grid = Grid(axis(matrix, step), axis(matrix, step, CENTER_Y), z)
    return sample([*table(), *torso()], HOUNSFIELD, grid)


def outside_circle(matrix: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """The corners of the matrix that the circle of reconstruction leaves empty."""
    ramp = axis(matrix, 1.0)
    return np.asarray(ramp**2 + ramp[:, None] ** 2 > (matrix / 2) ** 2)


def new_ct(
    series: Series, number: int, image_type: list[str], kernel: str, window: tuple[int, int]
) -> Dataset:
    """A CT Image (PS3.3 A.3) without plane and pixels."""
    time = clock(series.time, number)
    ds = new_instance(series, CTImageStorage, number, time)
    add_acquisition(ds, series, time, number=series.number)
    add(
        ds,
        ImageType=image_type,
        FrameOfReferenceUID=series.study.frame_of_reference_uid,
        PatientOrientation=["L", "P"],
    )
    add(ds, KVP="120", XRayTubeCurrent="240", ExposureTime="500", Exposure="120", FilterType="BODY")
    add(ds, ScanOptions="HELICAL MODE", GantryDetectorTilt="0", TableHeight="150", RotationDirection="CW")
    add(ds, ConvolutionKernel=kernel, ReconstructionDiameter="360", DataCollectionDiameter="500")
    add(ds, RescaleIntercept="-1024", RescaleSlope="1", RescaleType="HU")
    add(ds, WindowCenter=str(window[0]), WindowWidth=str(window[1]), LossyImageCompression="00")
    return ds


def _scout() -> Iterator[Dataset]:
    step, rows, columns = 1.25, 304, 288
    grid = Grid(axis(columns, step), axis(84, 3.0), axis(rows, step, -10.0))
    shadow = line_integrals(torso(), HOUNSFIELD, grid, along="y")[::-1]
    ds = new_ct(SCOUT, 1, ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SCOUT", (60, 900))
    ds.ContrastBolusAgent = ""
    add(ds, ScanOptions="SCOUT MODE", PatientOrientation=["L", "F"])
    # Coerced on the way, as a workflow system in front of an archive does (PS3.3 C.12.1.1.9).
    changed = item(StudyDescription="CHEST")
    add(
        ds,
        InstanceCoercionDateTime="20260112091700.000000+0000",
        OriginalAttributesSequence=[
            item(
                ModifiedAttributesSequence=[changed],
                AttributeModificationDateTime="20260112091700.000000+0000",
                ModifyingSystem="PHANTOM-RIS",
                SourceOfPreviousValues="",
                ReasonForTheAttributeModification="COERCE",
            )
        ],
    )
    add_plane(ds, (grid.x[0], 0, grid.z[-1]), CORONAL, step, 1.0)
    noisy = shadow * 160 - 420 + 5 * grain("scout", shadow.shape)
    add_pixels(ds, noisy + 1024, bits_stored=12)
    yield ds


def _axial() -> Iterator[Dataset]:
    matrix, step = 256, 360 / 256
    z = np.arange(100.0, -131.0, -10.0)
    planes = axial_planes(z[::-1], matrix)[::-1]
    planes = planes + 9 * grain("axial", planes.shape)
    planes[:, outside_circle(matrix)] = OUTSIDE
    for number, (height, plane) in enumerate(zip(z.tolist(), planes, strict=True), 1):
        ds = new_ct(AXIAL_SOFT, number, ["ORIGINAL", "PRIMARY", "AXIAL"], "STANDARD", (40, 400))
        add(ds, ContrastBolusAgent="Phantomol 300", ContrastBolusRoute="IV", SpacingBetweenSlices="10")
        ds.SliceLocation = str(height)
        corner = axis(matrix, step)[0]
        add_plane(ds, (corner, corner + CENTER_Y, height), AXIAL, step, 5)
        stored = np.where(plane == OUTSIDE, OUTSIDE, plane + 1024)
        add_pixels(ds, stored, signed=True)
        ds.add_new("PixelPaddingValue", "SS", int(OUTSIDE))
        yield ds


def _coronal() -> Iterator[Dataset]:
    columns, rows, step = 256, 192, 360 / 256
    grid = Grid(axis(columns, step), np.arange(-72.0, 89.0, 8.0), axis(rows, step, -14.0))
    volume = sample([*torso()], HOUNSFIELD, grid, edge=1.2)[::-1].transpose(1, 0, 2)
    volume = volume + 16 * grain("coronal", volume.shape)
    for number, (depth, plane) in enumerate(zip(grid.y.tolist(), volume, strict=True), 1):
        ds = new_ct(CORONAL_LUNG, number, ["DERIVED", "SECONDARY", "REFORMATTED"], "LUNG", (-500, 1500))
        add(ds, ContrastBolusAgent="Phantomol 300", PatientOrientation=["L", "F"])
        add(ds, DerivationDescription="Coronal reformat", SpacingBetweenSlices="8")
        add_plane(ds, (grid.x[0], depth, grid.z[-1]), CORONAL, step, 3)
        add_pixels(ds, plane + 1024, bits_stored=12)
        yield ds
