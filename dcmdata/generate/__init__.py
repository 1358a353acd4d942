"""Makes DICOM studies from phantoms: the committed ones, and any quantity for benchmarks and load tests."""

from pathlib import Path

from dcmdata.generate.ct import write_ct_study
from dcmdata.generate.dx import write_dx_series
from dcmdata.generate.load import write_ct_series, write_small_series
from dcmdata.generate.mr import write_mr_study
from dcmdata.generate.sr import write_sr_series

__all__ = ["write_ct_series", "write_small_series", "write_studies"]


def write_studies(output: Path) -> list[Path]:
    """Write the studies of this repository below `output`: `<study>/<series>/*.dcm`."""
    return [
        *write_ct_study(output),
        *write_mr_study(output),
        *write_dx_series(output),
        *write_sr_series(output),
    ]
