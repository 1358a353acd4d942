"""`python -m dcmdata.generate [studies|large|small]`: see README.md beside the studies."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dcmdata.generate import write_ct_series, write_small_series, write_studies

_HERE = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what the command line asks for and say how much it was."""
    options = _parser().parse_args(arguments)
    if options.command == "large":
        paths = write_ct_series(options.output, options.slices, options.matrix, options.seed)
    elif options.command == "small":
        paths = write_small_series(options.output, options.series, options.instances, options.seed)
    else:
        paths = write_studies(options.output)
        if options.pictures:
            from dcmdata.generate.pictures import write_pictures  # Pillow is needed for these only

            paths += write_pictures(options.output, options.output / "pictures")
    size = sum(path.stat().st_size for path in paths)
    sys.stdout.write(f"{len(paths)} files, {size / 1e6:.1f} MB, below {options.output}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dcmdata.generate", description="Make synthetic DICOM studies."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    studies = commands.add_parser("studies", help="the studies in this folder")
    studies.add_argument("--output", type=Path, default=_HERE)
    studies.add_argument("--pictures", action="store_true", help="also the contact sheets")
    large = commands.add_parser("large", help="one large CT series, for benchmarks")
    large.add_argument("--slices", type=int, default=400)
    large.add_argument("--matrix", type=int, default=512)
    small = commands.add_parser("small", help="many series of tiny images, for load tests")
    small.add_argument("--series", type=int, default=30)
    small.add_argument("--instances", type=int, default=4)
    for quantity in (large, small):
        quantity.add_argument("--output", type=Path, required=True)
        quantity.add_argument(
            "--seed", type=int, default=0, help="another seed gives other UIDs and patients"
        )
    return parser


if __name__ == "__main__":
    main()
