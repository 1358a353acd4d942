"""Contact sheets of the series, for README.md."""

from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset

_TILES = 6
_HEIGHT = 150


def write_pictures(studies: Path, folder: Path) -> list[Path]:
    """Write one PNG per series that has pixels: some of its images, side by side, in their window."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for series in sorted(path for path in studies.glob("*/*") if any(path.glob("IM*.dcm"))):
        files = sorted(series.glob("*.dcm"))
        chosen = np.unique(np.linspace(0, len(files) - 1, _TILES).round().astype(int))
        tiles = [_tile(pydicom.dcmread(files[index])) for index in chosen]
        path = folder / f"{series.parent.name}-{series.name}.png"
        Image.fromarray(np.concatenate(tiles, axis=1)).save(path, optimize=True)
        paths.append(path)
    return paths


def _tile(ds: Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    values = ds.pixel_array * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
    low = float(ds.WindowCenter) - float(ds.WindowWidth) / 2
    grey = np.clip((values - low) / float(ds.WindowWidth) * 255, 0, 255).astype(np.uint8)
    height = min(_HEIGHT if ds.Modality != "DX" else 2 * _HEIGHT, grey.shape[0])
    size = (round(grey.shape[1] * height / grey.shape[0]), height)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS))
