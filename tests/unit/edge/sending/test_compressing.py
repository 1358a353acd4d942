"""Compression changes the encoding of an instance and nothing else, or the instance goes as it came."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from edge_component.compressing.codec import HTJ2K_LOSSLESS_RPCL, encode
from edge_component.compressing.copying import answer
from edge_component.compressing.errors import DiffersError, NotCompressibleError
from edge_component.compressing.part10 import compress
from edge_component.compressing.proof import prove
from tests.support.edge.bench import Bench, rows

ROOT = Path(__file__).parents[4]
REAL = sorted(
    [*(ROOT / "dcmdata").rglob("*.dcm"), *(Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm")]
)


def picture(rows: int = 96, columns: int = 130, bits: int = 12, signed: bool = False) -> Dataset:
    """A smooth picture with noise, two frames, in an instance with private and nested elements."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.StudyDescription = "  blanks count  "
    ds.PixelSpacing = ["0.50", "0.5000"]
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", "one"
    ds.ProcedureCodeSequence = [item, Dataset()]
    block = ds.private_block(0x0009, "TEST", create=True)
    block.add_new(1, "OB", b"\1\2\3\4")
    ds.Rows, ds.Columns, ds.NumberOfFrames = rows, columns, 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = (8 if bits <= 8 else 16), bits, bits - 1
    ds.PixelRepresentation = int(signed)
    ds.SmallestImagePixelValue = -1 if signed else 1
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    ramp = np.linspace(low, high, columns)[None, None, :] + np.zeros((2, rows, 1))
    noise = np.random.default_rng(1).integers(-3, 4, (2, rows, columns))
    kind = f"<{'i' if signed else 'u'}{ds.BitsAllocated // 8}"
    ds.PixelData = np.clip(ramp + noise, low, high).astype(kind).tobytes()
    ds["PixelData"].VR = "OB" if bits <= 8 else "OW"
    return ds


def part10(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    stream = BytesIO()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    if not ds.file_meta.TransferSyntaxUID.is_compressed:
        ds["PixelData"].VR = (
            "OW" if ds.BitsAllocated > 8 or ds.file_meta.TransferSyntaxUID.is_implicit_VR else "OB"
        )
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    return stream.getvalue()


def compressed(received: bytes) -> bytes:
    stored = BytesIO()
    compress(memoryview(received), stored)
    return stored.getvalue()


def refusal(received: bytes) -> str:
    with pytest.raises(NotCompressibleError) as caught:
        compressed(received)
    return str(caught.value)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("bits", "signed"), [(8, False), (10, False), (12, True), (12, False), (16, True), (16, False)]
)
def test_another_decoder_reads_the_same_pixels_and_every_other_element_is_kept(
    syntax: str, bits: int, signed: bool
) -> None:
    received = part10(picture(bits=bits, signed=signed), syntax)
    stored = compressed(received)
    prove(memoryview(received), memoryview(stored))
    assert len(stored) < len(received)
    before, after = pydicom.dcmread(BytesIO(received)), pydicom.dcmread(BytesIO(stored))
    assert after.file_meta.TransferSyntaxUID == HTJ2K_LOSSLESS_RPCL
    after.pixel_array_options(decoding_plugin="pylibjpeg")
    assert np.array_equal(before.pixel_array, after.pixel_array)
    del before.PixelData, after.PixelData
    assert [element for element in before if element.tag.group % 2 == 0] == [
        element for element in after if element.tag.group % 2 == 0
    ]


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")
def test_a_real_file_is_compressed_exactly_or_refused_with_a_reason(path: Path) -> None:
    received = path.read_bytes()
    if received[128:132] != b"DICM" or not pydicom.filereader.read_file_meta_info(path).get(
        "TransferSyntaxUID"
    ):
        pytest.skip("the edge stores Part 10 files with a transfer syntax only")
    try:
        stored = compressed(received)
    except NotCompressibleError as error:
        assert str(error)  # noqa: PT017 - either is right
    else:
        prove(memoryview(received), memoryview(stored))


def test_a_strict_reader_dumps_what_was_stored(tmp_path: Path) -> None:
    dcmdump = shutil.which("dcmdump")
    if dcmdump is None:
        pytest.skip("DCMTK is not installed")
    for number, syntax in enumerate((ExplicitVRLittleEndian, ImplicitVRLittleEndian)):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(compressed(part10(picture(), syntax)))
        dumped = subprocess.run([dcmdump, "-q", path], capture_output=True, text=True, check=False)
        assert (dumped.returncode, dumped.stderr) == (0, "")


def colours(ds: Dataset) -> Dataset:
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.PixelData = np.repeat(np.frombuffer(ds.PixelData, np.uint8), 3).tobytes()
    ds["PixelData"].VR = "OB"
    return ds


def test_colours_become_the_reversible_transform_and_come_back() -> None:
    received = part10(colours(picture(bits=8)))
    stored = compressed(received)
    prove(memoryview(received), memoryview(stored))
    after = pydicom.dcmread(BytesIO(stored))
    assert after.PhotometricInterpretation == "YBR_RCT"
    after.pixel_array_options(decoding_plugin="pylibjpeg")
    assert np.array_equal(after.pixel_array, pydicom.dcmread(BytesIO(received)).pixel_array)


def change(**values: object) -> Callable[[Dataset], object]:
    def spoil(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return spoil


def overlay(ds: Dataset) -> None:
    ds.PixelData = (np.frombuffer(ds.PixelData, np.uint16) | 0x8000).tobytes()


def noise(ds: Dataset) -> None:
    ds.PixelData = np.random.default_rng(2).integers(0, 4096, len(ds.PixelData) // 2, np.uint16).tobytes()
    ds.BitsStored, ds.HighBit = 16, 15
    ds.PixelData = np.random.default_rng(2).bytes(len(ds.PixelData))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change(PhotometricInterpretation="PALETTE COLOR"), "Photometric Interpretation PALETTE COLOR"),
        (change(HighBit=15), "Bits Stored 12, High Bit 15"),
        (change(BitsAllocated=32), "Bits Allocated 32"),
        (change(NumberOfFrames=3), "Pixel Data of"),
        (overlay, "frame 1 uses bits beyond Bits Stored 12"),
        (noise, "it would not be smaller"),
        (lambda ds: ds.pop("Rows"), "pixel format is incomplete"),
        (lambda ds: ds.pop("PixelData"), "no Pixel Data"),
    ],
)
def test_what_cannot_be_encoded_exactly_or_gains_nothing_is_refused(
    spoil: Callable[[Dataset], object], words: str
) -> None:
    ds = picture()
    spoil(ds)
    stream = BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    assert words in refusal(stream.getvalue())


def test_group_lengths_are_left_out_where_the_encoding_of_their_group_changes() -> None:
    received = part10(picture(), ImplicitVRLittleEndian)
    old = received.replace(b"\x08\0\x16\0", b"\x08\0\0\0\x04\0\0\0\xd2\x04\0\0\x08\0\x16\0", 1)
    stored = compressed(old)
    prove(memoryview(old), memoryview(stored))
    assert 0x00080000 not in pydicom.dcmread(BytesIO(stored))
    explicit = part10(picture()).replace(b"\x08\0\x16\0UI", b"\x08\0\0\0UL\4\0\xd2\4\0\0\x08\0\x16\0UI", 1)
    assert "group lengths" in refusal(explicit)


def test_a_small_picture_is_not_worth_it() -> None:
    assert "only" in refusal(part10(picture(rows=32, columns=32)))


def test_pixel_data_that_is_cut_short_is_refused() -> None:
    assert refusal(part10(picture())[:-2]) == "Pixel Data is cut short"


def other_pixels(ds: Dataset) -> None:
    frames = list(generate_frames(ds.PixelData, number_of_frames=2))
    ds.PixelData = encapsulate([frames[0], encode(np.zeros((96, 130), np.uint16))])
    ds["PixelData"].is_undefined_length = True


def fewer_frames(ds: Dataset) -> None:
    ds.PixelData = encapsulate(list(generate_frames(ds.PixelData, number_of_frames=2))[:1])
    ds["PixelData"].is_undefined_length = True


@pytest.mark.parametrize(
    "spoil",
    [
        other_pixels,
        fewer_frames,
        change(StudyDescription="blanks count"),
        change(PixelSpacing=["0.5", "0.5"]),
        lambda ds: ds.ProcedureCodeSequence[0].update({"CodeValue": "2"}),
        lambda ds: ds.ProcedureCodeSequence.pop(),
        lambda ds: ds.pop("SmallestImagePixelValue"),
        change(PatientComments="added"),
    ],
)
def test_the_proof_finds_any_difference(spoil: Callable[[Dataset], object]) -> None:
    received = part10(picture())
    ds = pydicom.dcmread(BytesIO(compressed(received)))
    spoil(ds)
    stream = BytesIO()
    pydicom.dcmwrite(stream, ds)
    with pytest.raises(DiffersError):
        prove(memoryview(received), memoryview(stream.getvalue()))


@given(st.integers(65, 200), st.integers(65, 200), st.integers(9, 16), st.booleans())
@settings(max_examples=30, deadline=None)
def test_any_pixels_come_back(rows: int, columns: int, bits: int, signed: bool) -> None:
    received = part10(picture(rows, columns, bits, signed))
    prove(memoryview(received), memoryview(compressed(received)))


def test_what_was_altered_in_the_spool_is_not_compressed(tmp_path: Path) -> None:
    """Else its hash would be taken for that of what was received."""
    bench = Bench(tmp_path)
    sender = bench.associate()
    bench.receive(sender, "1.2", "1.2.1", "1")
    [row] = rows(bench.journal, "SELECT file, bytes, file_crc32 FROM instance")
    request = {**row, "copy": str(tmp_path / "copy")}
    assert "altered" not in str(answer(bench.spool, request))
    assert "altered" in answer(bench.spool, {**request, "file_crc32": row["file_crc32"] ^ 1})["reason"]
