"""Frames: what is fetched decodes to the pixels that were sent, in every transfer syntax decodable here."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy
import openjpeg
import pydicom.data
import pytest
from healthimaging_emulator import Settings
from healthimaging_emulator.dicom import p10
from healthimaging_emulator.dicom.pixels import codecs, decoders, jp2
from healthimaging_emulator.dicom.pixels.frames import extract
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from ..conftest import MakeStand
from ..stand import Stand, instance, part10

HTJ2K = "1.2.840.10008.1.2.4.202"
NATIVE = "1.2.840.10008.1.2.1"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"

Pixels = Any


def pixels(frames: int = 1, dtype: str = "<u2") -> Pixels:
    """Frames of 33 x 47 with structure and noise, 12 bits deep (8 for bytes)."""
    noise = numpy.random.default_rng(7).integers(0, 100, (frames, 33, 47))
    ramp = numpy.arange(33 * 47).reshape(33, 47) * (2 if numpy.dtype(dtype).itemsize > 1 else 0)
    return (noise + ramp).astype(dtype)


def native(array: Pixels, **more: Any) -> Dataset:
    """A data set with these frames, not compressed."""
    bits = array.dtype.itemsize * 8
    stored = 12 if array.dtype == "<u2" else bits
    return instance(
        Rows=array.shape[1],
        Columns=array.shape[2],
        NumberOfFrames=str(len(array)),
        BitsAllocated=bits,
        BitsStored=stored,
        HighBit=stored - 1,
        PixelRepresentation=int(array.dtype.kind == "i"),
        PixelData=array.tobytes(),
        **more,
    )


def compressed(syntax: str, encode: Callable[[Pixels], bytes], array: Pixels) -> Dataset:
    """A data set with these frames, encapsulated."""
    dataset = native(array)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate([encode(frame) for frame in array])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    return dataset


def rle(frame: Pixels) -> bytes:
    return RLELosslessEncoder.encode(
        frame.tobytes(),
        rows=frame.shape[0],
        columns=frame.shape[1],
        samples_per_pixel=1,
        bits_allocated=16,
        bits_stored=12,
        pixel_representation=0,
        number_of_frames=1,
        photometric_interpretation="MONOCHROME2",
    )


def jpeg_2000(frame: Pixels) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(frame, level=0, reversible=True, codecformat="j2k"))


def htj2k(frame: Pixels) -> bytes:
    return bytes(imagecodecs.htj2k_encode(frame))


def jpeg_lossless(frame: Pixels) -> bytes:
    return bytes(imagecodecs.ljpeg_encode(frame))


def jpeg_ls(frame: Pixels) -> bytes:
    return bytes(imagecodecs.jpegls_encode(frame))


def jpeg_xl(frame: Pixels) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(frame, lossless=True))


LOSSLESS: dict[str, Callable[[Pixels], bytes]] = {
    "1.2.840.10008.1.2.4.57": jpeg_lossless,
    "1.2.840.10008.1.2.4.70": jpeg_lossless,
    "1.2.840.10008.1.2.4.80": jpeg_ls,
    "1.2.840.10008.1.2.4.90": jpeg_2000,
    "1.2.840.10008.1.2.4.201": htj2k,
    "1.2.840.10008.1.2.4.202": htj2k,
    "1.2.840.10008.1.2.5": rle,
}
RETAINED: dict[str, Callable[[Pixels], bytes]] = {
    "1.2.840.10008.1.2.4.91": jpeg_2000,
    "1.2.840.10008.1.2.4.203": htj2k,
    "1.2.840.10008.1.2.4.112": jpeg_xl,
    "1.2.840.10008.1.2.4.102": lambda frame: b"\0\0\0\1 not really a video" + bytes(frame.nbytes % 7),
}


def imported(stand: Stand, content: Dataset | bytes) -> tuple[str, Any]:
    """The image set and the instance's metadata after an import without warnings."""
    stand.put("a/1.dcm", content)
    job = stand.run("a/")
    assert stand.lines(job, "FAILURE/failure.ndjson") == []
    assert stand.lines(job, "WARNING/warning.ndjson") == []
    image_set_id = stand.summary(job)["imageSetsSummary"][0]["imageSetId"]
    (found,) = stand.instances(image_set_id).values()
    return image_set_id, found


def fetched(stand: Stand, image_set_id: str, found: Any) -> list[tuple[bytes, str]]:
    return [stand.frame(image_set_id, frame["ID"]) for frame in found["ImageFrames"]]


def decode(data: bytes, syntax: str, like: Pixels) -> Pixels:
    """As a viewer would: OpenJPEG for both JPEG 2000 kinds, plain bytes otherwise."""
    if syntax in (HTJ2K, JPEG_2000):
        return openjpeg.decode(data)
    return numpy.frombuffer(data, like.dtype.newbyteorder("<")).reshape(like.shape)


def check_pixels(stand: Stand, dataset: Dataset, expected: Pixels, syntax: str) -> None:
    image_set_id, found = imported(stand, dataset)
    assert found["StoredTransferSyntaxUID"] == syntax
    assert found["ChecksumType"] == "DECOMPRESSED"
    frames = fetched(stand, image_set_id, found)
    assert len(frames) == len(expected)
    content_type = "image/jph" if syntax == HTJ2K else "application/octet-stream"
    assert {answered for _, answered in frames} == {content_type}
    for (data, _), frame, described in zip(frames, expected, found["ImageFrames"], strict=True):
        assert numpy.array_equal(decode(data, syntax, frame), frame)
        assert described == {
            "ID": described["ID"],
            "PixelDataChecksumFromBaseToFullResolution": [
                {"Width": frame.shape[1], "Height": frame.shape[0], "Checksum": zlib.crc32(frame.tobytes())}
            ],
            "MinPixelValue": frame.min(),
            "MaxPixelValue": frame.max(),
            "FrameSizeInBytes": len(data),
        }


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_frames_become_htj2k_with_the_same_pixels(stand: Stand, syntax: str) -> None:
    array = pixels(frames=3)
    check_pixels(stand, compressed(syntax, LOSSLESS[syntax], array), array, HTJ2K)


@pytest.mark.parametrize(
    "syntax", [NATIVE, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian], ids=str
)
def test_native_frames_become_htj2k_with_the_same_pixels(stand: Stand, syntax: str) -> None:
    array = pixels(frames=2)
    dataset = native(array)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = array.astype(">u2").tobytes()
    check_pixels(stand, dataset, array, HTJ2K)


@pytest.mark.parametrize(
    ("dtype", "syntax"),
    [("u1", HTJ2K), ("i1", HTJ2K), ("<u2", HTJ2K), ("<i2", HTJ2K), ("<u4", NATIVE), ("<i4", NATIVE)],
)
def test_every_pixel_type_survives(stand: Stand, dtype: str, syntax: str) -> None:
    array = pixels(dtype=dtype)
    if array.dtype.kind == "i":
        array = array - array.dtype.type(50)
    check_pixels(stand, native(array), array, syntax)


def test_colour_survives_interleaved_or_by_plane(stand: Stand) -> None:
    array = numpy.stack([pixels(dtype="u1")[0] + n for n in range(3)], axis=-1)[None]
    for planar, data in ((0, array), (1, array.transpose(0, 3, 1, 2))):
        dataset = native(array, SOPInstanceUID="1.2.3")
        dataset.SamplesPerPixel = 3
        dataset.PlanarConfiguration = planar
        dataset.PhotometricInterpretation = "RGB"
        dataset.PixelData = data.tobytes() + b"\0" * (array.size % 2)
        check_pixels(stand, dataset, array, HTJ2K)


def test_a_store_of_jpeg_2000_lossless_stores_that(stand: Stand) -> None:
    made = stand.client.create_datastore(losslessStorageFormat="JPEG_2000_LOSSLESS", clientToken="t")
    stand.datastore_id = made["datastoreId"]
    array = pixels()
    check_pixels(stand, native(array), array, JPEG_2000)


def test_without_a_codec_frames_are_stored_raw(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(frames="raw"))
    dataset = native(pixels(frames=2))
    check_pixels(stand, dataset, pixels(frames=2), NATIVE)
    image_set_id, found = imported(stand, dataset)
    assert fetched(stand, image_set_id, found)[0][1] == "application/octet-stream"


def under_another_name(dataset: Dataset, syntax: str) -> bytes:
    """The file of a transfer syntax that pydicom does not know: written as another of the same length."""
    known = "1.2.840.10008.1.2.4.102"
    dataset.file_meta.TransferSyntaxUID = UID(known)
    return part10(dataset).replace(known.encode(), syntax.encode(), 1)


@pytest.mark.parametrize("syntax", RETAINED)
def test_retained_encodings_are_answered_byte_for_byte(stand: Stand, syntax: str) -> None:
    array = pixels(frames=2)
    dataset = compressed(syntax, RETAINED[syntax], array)
    content = part10(dataset) if UID(syntax).is_transfer_syntax else under_another_name(dataset, syntax)
    image_set_id, found = imported(stand, content)
    assert found["StoredTransferSyntaxUID"] == syntax
    sent = [RETAINED[syntax](frame) for frame in array]
    sent = [data + b"\0" * (len(data) % 2) for data in sent]
    if syntax.endswith(".102"):
        sent = [b"".join(sent)]
    frames = fetched(stand, image_set_id, found)
    assert [data for data, _ in frames] == sent
    checksums = [f["PixelDataChecksumFromBaseToFullResolution"][0]["Checksum"] for f in found["ImageFrames"]]
    assert checksums == [zlib.crc32(data) for data in sent]
    expected = {".91": "image/j2c", "203": "image/jphc", "112": "image/jxl", "102": "video/mp4"}
    assert frames[0][1] == expected[syntax[-3:]]


def test_a_binary_segmentation_keeps_one_bit_per_pixel(stand: Stand) -> None:
    mask = (pixels(frames=3) % 3 == 0).astype("u1")
    dataset = native(mask)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    packed = numpy.packbits(mask.reshape(-1), bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    image_set_id, found = imported(stand, dataset)
    assert found["StoredTransferSyntaxUID"] == NATIVE
    for (data, _), frame in zip(fetched(stand, image_set_id, found), mask, strict=True):
        bits = numpy.unpackbits(numpy.frombuffer(data, "u1"), bitorder="little", count=frame.size)
        assert numpy.array_equal(bits.reshape(frame.shape), frame)


def test_float_pixels_are_stored_raw(stand: Stand) -> None:
    array = pixels(dtype="<f4") / 3
    dataset = native(array)
    dataset.BitsAllocated = 32
    del dataset.PixelData
    dataset.FloatPixelData = array.tobytes()
    check_pixels(stand, dataset, array, NATIVE)


def test_an_object_without_pixel_data_has_no_frames(stand: Stand) -> None:
    dataset = instance()
    del dataset.PixelData
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    _, found = imported(stand, dataset)
    assert found["ImageFrames"] == []
    assert "StoredTransferSyntaxUID" not in found


def warnings_of(stand: Stand, dataset: Dataset) -> list[str]:
    stand.put("w/1.dcm", dataset)
    job = stand.run("w/")
    assert stand.summary(job)["numberOfImportedFiles"] == 1
    (line,) = stand.lines(job, "WARNING/warning.ndjson")
    return [warning["type"] for warning in line["importResponse"]["warnings"]]


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_pixels_that_cannot_be_decoded_are_a_warning_not_a_loss(stand: Stand) -> None:
    broken = compressed("1.2.840.10008.1.2.4.90", lambda _: b"\xff\x4f\xff\x51" + bytes(20), pixels())
    assert warnings_of(stand, broken) == ["TRANSCODING_EXCEPTION"]


def test_an_unknown_transfer_syntax_is_a_warning_not_a_loss(stand: Stand) -> None:
    odd = compressed("1.2.840.10008.1.2.4.94", jpeg_2000, pixels())
    assert warnings_of(stand, odd) == ["UNSUPPORTED_TRANSFER_SYNTAX"]


def test_pixel_data_without_a_frame_is_a_warning(stand: Stand) -> None:
    dataset = compressed("1.2.840.10008.1.2.4.91", jpeg_2000, pixels())
    content = part10(dataset)
    start = content.index(b"\xe0\x7f\x10\x00OB")
    stand.put("a/1.dcm", content[: start + 8] + b"\0\0\0\0")
    job = stand.run("a/")
    (line,) = stand.lines(job, "WARNING/warning.ndjson")
    assert line["importResponse"]["warnings"][0]["type"] == "FRAMES_EXTRACTION_FAILURE"


@pytest.mark.parametrize("declared", ["1", "3"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.90"])
def test_frames_whose_number_is_not_the_declared_one_cannot_be_retrieved(
    stand: Stand, syntax: str, declared: str
) -> None:
    dataset = compressed(syntax, jpeg_2000, pixels(frames=2))
    dataset.NumberOfFrames = declared
    assert warnings_of(stand, dataset) == ["FRAME_NUMBER_MISMATCH"]
    assert frames_listed(stand) == []


def test_native_pixel_data_that_is_too_short_has_no_frames(stand: Stand) -> None:
    dataset = native(pixels(frames=2))
    dataset.NumberOfFrames = "3"
    assert warnings_of(stand, dataset) == ["FRAMES_EXTRACTION_FAILURE"]
    assert frames_listed(stand) == []


def frames_listed(stand: Stand) -> Any:
    (image_set,) = stand.image_sets()
    (found,) = stand.instances(image_set["imageSetId"]).values()
    return found["ImageFrames"]


@pytest.mark.parametrize(
    ("shape", "levels"), [((33, 47), 1), ((512, 512), 3), ((129, 600), 2), ((70, 90, 3), 1)], ids=str
)
def test_an_htj2k_frame_is_a_jp2_file_with_a_tile_part_per_resolution(
    shape: tuple[int, ...], levels: int
) -> None:
    """As the service's own answer was captured (awsdocs/aws-doc-sdk-examples, test.jph)."""
    array = numpy.arange(numpy.prod(shape)).reshape(shape).astype("<i2")
    file, syntax = codecs.encoder("HTJ2K", "auto").encode(array)
    height, width, components = (*shape, 1)[:3]
    assert syntax == HTJ2K
    assert file[:40] == (b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + b"\0\0\0\x2djp2h")
    assert struct.unpack(">IIHBBBB", file[48:62]) == (height, width, components, 0x8F, 7, 1, 0)
    assert struct.unpack(">BBBI", file[70:77]) == (1, 0, 0, 16 if components == 3 else 17)
    assert file[77:85] == b"\0\0\0\0jp2c"
    stream = jp2.codestream(file)
    assert stream == file[85:]
    cod = stream.index(b"\xff\x52")
    progression, decompositions, style = stream[cod + 5], stream[cod + 9], stream[cod + 12]
    assert (progression, decompositions, style) == (2, levels, 0x40)  # RPCL, high throughput
    assert [part for _, part in tile_parts(stream)] == list(range(levels + 1))
    for data, number in ((file, 2), (stream, 0)):
        assert numpy.array_equal(openjpeg.utils.decode(data, number), array)


def tile_parts(stream: bytes) -> Iterator[tuple[int, int]]:
    """Tile and part of each start-of-tile-part, by the lengths that they give."""
    at = stream.index(b"\xff\x90\0\x0a")
    while stream[at : at + 2] == b"\xff\x90":
        tile, length, part = struct.unpack(">HIB", stream[at + 4 : at + 11])
        yield tile, part
        at += length
    assert stream[at:] == b"\xff\xd9"


def test_the_codestream_of_a_file_with_other_boxes_and_long_lengths_is_found() -> None:
    signature = b"\0\0\0\x0cjP  \r\n\x87\n"
    assert jp2.codestream(signature + b"\0\0\0\x0bxml <a>" + b"\0\0\0\x0djp2cabcde" + b"rest") == b"abcde"
    assert jp2.codestream(signature + b"\0\0\0\x01jp2c" + struct.pack(">Q", 18) + b"ab" + b"more") == b"ab"
    assert jp2.codestream(b"\xff\x4f\xff\x51 raw") == b"\xff\x4f\xff\x51 raw"


def test_a_frame_of_another_image_set_is_not_found(stand: Stand) -> None:
    _, found = imported(stand, instance())
    stand.put("b/1.dcm", instance(SeriesInstanceUID="1.2.826.0.1.1.2"))
    other = stand.summary(stand.run("b/"))["imageSetsSummary"][0]["imageSetId"]
    with pytest.raises(stand.client.exceptions.ResourceNotFoundException):
        stand.frame(other, found["ImageFrames"][0]["ID"])


def test_the_frame_size_can_be_the_decoded_one(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(behaviour={"frame_size": "decoded"}))
    array = pixels()
    _, found = imported(stand, native(array))
    assert found["ImageFrames"][0]["FrameSizeInBytes"] == array.nbytes


def decodable_files() -> list[str]:
    """pydicom's test files with frames that it can decode itself, and that are transcoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's opinion of its odder files
        return [path.name for path in sorted(TEST_FILES.glob("*.dcm")) if has_frames(path)]


def has_frames(path: Path) -> bool:
    try:
        part = p10.read(io.BytesIO(path.read_bytes()))
    except p10.Refused:
        return False
    return part.has_pixel_data and part.attribute("BitsAllocated") != "1"


UNDECODABLE = {"MR_truncated.dcm": "FRAMES_EXTRACTION_FAILURE", "badVR.dcm": "FRAMES_EXTRACTION_FAILURE"}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", decodable_files())
def test_pydicoms_own_images_keep_their_pixels(tmp_path: Path, name: str) -> None:
    path = TEST_FILES / name
    part = p10.read(io.BytesIO(path.read_bytes()))
    extracted = extract(part, codecs.encoder("HTJ2K", "auto"), tmp_path)
    if name in UNDECODABLE:
        assert [w[1] for w in extracted.warnings] == [UNDECODABLE[name]]
        return
    assert extracted.warnings == []
    blob = (tmp_path / str(extracted.blob)).read_bytes()
    if extracted.retained:
        assert {frame.transfer_syntax for frame in extracted.frames} == {part.transfer_syntax}
        return
    if name == "JPEG-lossy.dcm":  # 12 bits, JPEG Extended: no plugin of pydicom's reads it
        (data,) = generate_frames(dcmread(path).PixelData, number_of_frames=1)
        sent = [imagecodecs.jpeg8_decode(data)]
    else:
        sent = list(iter_pixels(dcmread(path), raw=True))
    assert len(extracted.frames) == len(sent)
    for frame, original in zip(extracted.frames, sent, strict=True):
        data = blob[frame.offset : frame.offset + frame.length]
        assert numpy.array_equal(decode(data, frame.transfer_syntax, original), original)


def test_a_viewer_gets_the_pixels_of_a_ct_through_boto3(stand: Stand) -> None:
    path = TEST_FILES / "CT_small.dcm"
    stand.put("ct/1.dcm", path.read_bytes())
    image_set_id = stand.summary(stand.run("ct/"))["imageSetsSummary"][0]["imageSetId"]
    (found,) = stand.instances(image_set_id).values()
    ((data, content_type),) = fetched(stand, image_set_id, found)
    (original,) = iter_pixels(path)
    assert content_type == "image/jph"
    assert numpy.array_equal(openjpeg.decode(data), original)


def test_part10_of_the_stand_is_what_the_emulator_reads() -> None:
    part = p10.read(io.BytesIO(part10(instance())))
    assert part.transfer_syntax == NATIVE


@pytest.mark.parametrize("syntax", sorted(LOSSLESS.keys() - {"1.2.840.10008.1.2.5"}))
@pytest.mark.parametrize("dtype", ["<u2", "<i2"])
def test_without_a_plugin_of_pydicoms_imagecodecs_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: str, dtype: str
) -> None:
    monkeypatch.setattr(decoders, "_pydicom_decodes", lambda _: False)
    array = pixels(frames=2) - (500 if dtype == "<i2" else 0)
    dataset = compressed(syntax, LOSSLESS[syntax], array.astype("<u2"))
    dataset.PixelRepresentation = int(dtype == "<i2")
    dataset.BitsStored = 16
    part = p10.read(io.BytesIO(part10(dataset)))
    assert [frame.tolist() for frame in decoders.decoded(part)] == array.astype(dtype).tolist()
    assert extract(part, codecs.encoder("HTJ2K", "auto"), tmp_path).warnings == []
