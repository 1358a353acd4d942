"""The chest radiographs: postero-anterior and left lateral."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, JPEG2000Lossless

from dcmdata.generate.objects.files import write
from dcmdata.generate.objects.headers import add, add_acquisition, clock, coded, item, new_instance
from dcmdata.generate.objects.images import add_pixels, axis, number
from dcmdata.generate.objects.studies import DX_CHEST, Series
from dcmdata.generate.phantoms.noise import Floats, grain
from dcmdata.generate.phantoms.painting import Grid
from dcmdata.generate.phantoms.projection import line_integrals, radiograph
from dcmdata.generate.phantoms.torso import HOUNSFIELD, torso

CHEST_VIEWS = Series(DX_CHEST, "1-pa-and-lateral", 1, "DX", "PA and lateral", "Chest erect", "080700")
PIXEL_MM = 0.7
ROWS = 560


def write_dx_series(output: Path) -> list[Path]:
    """Write both views below `output`."""
    folder = output / DX_CHEST.folder / CHEST_VIEWS.folder
    return [write(ds, folder, f"IM{n:04d}", JPEG2000Lossless) for n, ds in enumerate(_views(), 1)]


def _views() -> Iterator[Dataset]:
    z = axis(ROWS, PIXEL_MM, 4.0)
    frontal = Grid(axis(512, PIXEL_MM), axis(102, 2.5), z)
    lateral = Grid(axis(148, 2.5), axis(432, PIXEL_MM), z)
    yield _view(1, "PA", ["L", "F"], ("399348003", "SCT", "postero-anterior"), _picture(frontal, "y"))
    yield _view(2, "LL", ["P", "F"], ("399198007", "SCT", "left lateral"), _picture(lateral, "x"))


def _picture(grid: Grid, along: Literal["x", "y"]) -> Floats:
    shadow = line_integrals(torso(erect=True), HOUNSFIELD, grid, along)
    picture = radiograph(shadow)[::-1] * 3900
    picture = picture + (4 + 0.004 * picture) * grain(f"radiograph {along}", picture.shape)
    left = picture.shape[1] - 60 if along == "y" else 30  # a leaden L on the detector
    picture[40:72, left : left + 6] = 4050
    picture[66:72, left : left + 20] = 4050
    return picture


def _view(
    view_number: int, position: str, orientation: list[str], view: tuple[str, str, str], picture: Floats
) -> Dataset:
    """A Digital X-Ray Image for presentation (PS3.3 A.26)."""
    time = clock(CHEST_VIEWS.time, 40 * view_number)
    ds = new_instance(CHEST_VIEWS, DigitalXRayImageStorageForPresentation, view_number, time)
    add_acquisition(ds, CHEST_VIEWS, time, number=view_number)
    add(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", ""],
        PresentationIntentType="FOR PRESENTATION",
        ImageLaterality="U",
    )
    add(ds, ViewPosition=position, ViewCodeSequence=[coded(view)], PatientOrientation=orientation)
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = []
    add(ds, RequestAttributesSequence=[item(RequestedProcedureID="1", ScheduledProcedureStepID="1")])
    add(ds, KVP="120", ExposureInuAs=1600, DistanceSourceToDetector="1800", DistanceSourceToPatient="1600")
    add(ds, DetectorType="DIRECT", DetectorID="FP-1", DetectorTemperature="31", PositionerType="COLUMN")
    add(
        ds,
        ImagerPixelSpacing=[number(PIXEL_MM)] * 2,
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=1,
    )
    add(ds, RescaleIntercept="0", RescaleSlope="1", RescaleType="US", PresentationLUTShape="IDENTITY")
    add(ds, WindowCenter="2048", WindowWidth="4096", LossyImageCompression="00")
    add(
        ds,
        AcquisitionContextSequence=[],
        PatientOrientationCodeSequence=[coded(("10904000", "SCT", "erect"))],
    )
    add_pixels(ds, picture, bits_stored=12)
    ds.IconImageSequence = [_icon(picture)]
    return ds


def _icon(picture: Floats) -> Dataset:
    """A thumbnail of 64 pixels' height in 8 bits (PS3.3 C.7.6.1.1.6)."""
    small = picture[4::9, 4::9][:62, :62]
    pixels = np.clip(np.rint(small / 16), 0, 255).astype(np.uint8)
    pixels = pixels[:, : pixels.shape[1] // 2 * 2]
    icon = item(
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=pixels.shape[0],
        Columns=pixels.shape[1],
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PixelData=pixels.tobytes(),
    )
    icon["PixelData"].VR = "OB"
    return icon
