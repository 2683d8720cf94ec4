"""The pixels in a request: raw or compressed, and what is refused."""

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wilor_protocol.requests import EncodedImage, HandCrop
from wilor_sidecar.estimator import BadImageError, Frame

from .fakes import Crop, crop_of, hand_of, request_of

Codec = Literal["jpeg", "png"]

RAMP = np.tile(np.arange(256, dtype=np.uint8), (256, 1))


def file_of(pixels: NDArray[Any], codec: Codec, mode: str | None = None) -> bytes:
    """The pixels as a compressed file, in one of Pillow's modes."""
    image = Image.fromarray(pixels)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, codec)
    return out.getvalue()


def read(codec: Codec, data: bytes) -> NDArray[np.uint8]:
    """The pixels of one hand that came like this."""
    hand = HandCrop(crop=EncodedImage(codec=codec, data=data), side="right")
    [pixels] = Frame.of_request(request_of([hand])).crops_rgb
    assert pixels.shape == (256, 256, 3)
    assert pixels.dtype == np.uint8
    return pixels


def picture_of(seed: int) -> Crop:
    """Noise of sixteen levels: unlike full noise, its PNG is smaller than the raw crop, as a request's must be."""
    return crop_of(seed) // 16 * 16


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file, with its right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int, data: bytes) -> bytes:
    """A PNG whose header claims this size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_raw_crops_come_as_they_were_sent() -> None:
    """Bytes are rows of RGB pixels; several hands keep their order."""
    crops = [crop_of(1), crop_of(2), crop_of(3)]
    request = request_of([hand_of(crop=crop) for crop in crops])
    frame = Frame.of_request(request)
    assert frame.request is request
    assert all(crop.dtype == np.uint8 for crop in frame.crops_rgb)
    np.testing.assert_array_equal(np.stack(frame.crops_rgb), np.stack(crops))


def test_a_png_is_exact() -> None:
    """A PNG's pixels are the very pixels that were compressed."""
    crop = picture_of(4)
    np.testing.assert_array_equal(read("png", file_of(crop, "png")), crop)


def test_a_jpeg_is_close() -> None:
    """A JPEG of a smooth picture, red on the left and blue below, is the picture to a few grey levels."""
    crop = np.stack([RAMP[:, ::-1], np.zeros_like(RAMP), RAMP.T], axis=2)
    difference = np.abs(read("jpeg", file_of(crop, "jpeg")).astype(int) - crop)
    assert difference.mean() < 4


def test_raw_and_compressed_hands_mix_in_one_frame() -> None:
    """Each hand of a frame may come in its own way."""
    crop = picture_of(5)
    encoded = HandCrop(crop=EncodedImage(codec="png", data=file_of(crop, "png")), side="left")
    frame = Frame.of_request(request_of([hand_of(), encoded]))
    assert not frame.crops_rgb[0].any()
    np.testing.assert_array_equal(frame.crops_rgb[1], crop)


@pytest.mark.parametrize("codec", ["jpeg", "png"])
def test_grey_becomes_rgb(codec: Codec) -> None:
    """A picture of one channel has it three times."""
    pixels = read(codec, file_of(RAMP, codec))
    assert np.abs(pixels.astype(int) - RAMP[:, :, None]).max() <= 2


def test_alpha_is_left_out() -> None:
    """Transparent pixels have the colours that are stored for them."""
    crop = picture_of(6)
    transparent = np.dstack([crop, RAMP])
    np.testing.assert_array_equal(read("png", file_of(transparent, "png")), crop)


def test_grey_with_alpha_becomes_rgb() -> None:
    """Two channels, grey and alpha, too."""
    grey = Image.merge("LA", [Image.fromarray(RAMP), Image.fromarray(RAMP.T.copy())])
    out = io.BytesIO()
    grey.save(out, "png")
    np.testing.assert_array_equal(read("png", out.getvalue()), np.dstack([RAMP] * 3))


def test_a_palette_becomes_rgb() -> None:
    """Palette indices are not taken for grey levels."""
    crop = np.dstack([RAMP, np.full_like(RAMP, 10), np.full_like(RAMP, 200)])
    pixels = read("png", file_of(crop, "png", mode="P"))
    assert np.abs(pixels.astype(int) - crop).mean() < 40
    assert pixels[:, :, 2].mean() > 150 > 100 > pixels[:, :, 1].mean()


def test_sixteen_bits_of_grey_are_refused() -> None:
    """A crop has 8 bits a channel; more would have to be cut off somewhere."""
    with pytest.raises(BadImageError, match="8 bits"):
        read("png", file_of(RAMP.astype(np.uint16) * 257, "png"))


@pytest.mark.parametrize("codec", ["jpeg", "png"])
@pytest.mark.parametrize("size", [(255, 256), (256, 257), (512, 512), (1, 1)])
def test_another_size_is_refused(codec: Codec, size: tuple[int, int]) -> None:
    """The refusal names the field, the size that is wanted and the size that came."""
    width, height = size
    data = file_of(np.zeros((height, width, 3), np.uint8), codec)
    with pytest.raises(BadImageError, match=rf"hands\[0\]\.crop: .*256 x 256.*got {width} x {height}"):
        read(codec, data)


def test_the_refusal_says_which_hand() -> None:
    """The index is that of the bad hand."""
    bad = HandCrop(crop=EncodedImage(codec="png", data=b"nonsense"), side="left")
    with pytest.raises(BadImageError, match=r"hands\[2\]\.crop"):
        Frame.of_request(request_of([hand_of(), hand_of(), bad]))


def test_a_progressive_jpeg_is_refused() -> None:
    """Its passes, each over the whole picture, may be many; the refusal says what is taken instead."""
    out = io.BytesIO()
    Image.fromarray(RAMP).save(out, "jpeg", progressive=True)
    with pytest.raises(BadImageError, match=r"hands\[0\]\.crop: expected a baseline JPEG"):
        read("jpeg", out.getvalue())


@pytest.mark.parametrize(("said", "sent"), [("jpeg", "png"), ("png", "jpeg")])
def test_another_codec_than_was_said_is_refused(said: Codec, sent: Codec) -> None:
    """A file of the other kind is not read after all, and the refusal says what was expected."""
    with pytest.raises(BadImageError, match=rf"hands\[0\]\.crop: .*{said}"):
        read(said, file_of(picture_of(1), sent))


@pytest.mark.parametrize("codec", ["jpeg", "png"])
@pytest.mark.parametrize("other", ["gif", "bmp", "tiff", "webp"])
def test_no_third_kind_of_file_is_read(codec: Codec, other: str) -> None:
    """Of all that Pillow can decode, hostile bytes reach two decoders only."""
    out = io.BytesIO()
    Image.fromarray(RAMP).save(out, other)
    with pytest.raises(BadImageError, match=r"hands\[0\]\.crop"):
        read(codec, out.getvalue())


@pytest.mark.parametrize("codec", ["jpeg", "png"])
@pytest.mark.parametrize("kept", [1, 8, 30, 0.5, 0.95])
def test_a_file_that_ends_too_soon_is_refused(codec: Codec, kept: float) -> None:
    """No half picture is taken for a whole one, wherever the file was cut."""
    data = file_of(picture_of(2), codec)
    length = kept if isinstance(kept, int) else int(len(data) * kept)
    with pytest.raises(BadImageError, match=r"hands\[0\]\.crop"):
        read(codec, data[:length])


@pytest.mark.parametrize("where", [0.2, 0.5, 0.8])
def test_damaged_bytes_are_refused(where: float) -> None:
    """A PNG whose checksums do not hold is not read."""
    data = bytearray(file_of(picture_of(2), "png"))
    data[int(len(data) * where)] ^= 0xFF
    with pytest.raises(BadImageError, match=r"hands\[0\]\.crop"):
        read("png", bytes(data))


def best_s(act: Callable[[], object]) -> float:
    """The shortest of three times."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.parametrize("size", [(257, 256), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    """A small file that claims a huge picture is refused by its header, long before its data could be unpacked."""
    packed = zlib.compress(bytes(30_000_000))
    data = png_of_size(*size, data=packed)

    def read_and_refuse() -> None:
        with pytest.raises(BadImageError, match=r"hands\[0\]\.crop"):
            read("png", data)

    assert best_s(read_and_refuse) < best_s(lambda: zlib.decompress(packed)) / 4


def test_pixels_that_go_on_beyond_the_picture_cost_little() -> None:
    """Data behind the last row of a PNG are neither kept nor waited for: it is read long before they are unpacked."""
    row = b"\0" + bytes(range(256)) * 3
    packed = zlib.compress(row * 256 + bytes(100_000_000), 9)
    data = png_of_size(256, 256, packed)
    assert best_s(lambda: read("png", data)) < best_s(lambda: zlib.decompress(packed)) / 10
    pixels = read("png", data)
    assert pixels[255].tobytes() == row[1:]


def test_turning_notes_are_not_followed() -> None:
    """An EXIF orientation does not turn the crop: the pixels are in the order of the file."""
    crop = picture_of(7)
    note = Image.Exif()
    note[0x0112] = 6  # "turn by 90 degrees"
    out = io.BytesIO()
    Image.fromarray(crop).save(out, "png", exif=note)
    np.testing.assert_array_equal(read("png", out.getvalue()), crop)


_TEXT_OF_A_MEGABYTE = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000), 9))
_PROFILE_OF_A_MEGABYTE = png_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1_000_000), 9))


@pytest.mark.parametrize("notes", [_TEXT_OF_A_MEGABYTE * 150, _PROFILE_OF_A_MEGABYTE, png_chunk(b"eXIf", b"x" * 999)])
def test_notes_in_a_png_are_not_unpacked(notes: bytes) -> None:
    """Texts and profiles that become a hundred megabytes are stepped over; the picture is the same."""
    pixels = np.full((256, 256, 3), 7, np.uint8)
    data = file_of(pixels, "png")
    tracemalloc.start()
    found = read("png", data[:33] + notes + data[33:])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(found, pixels)
    assert peak < 2e6


def test_control_pillow_alone_unpacks_them() -> None:
    """Control: the same file costs Pillow more than 2 MB."""
    data = file_of(np.full((256, 256, 3), 7, np.uint8), "png")
    tracemalloc.start()
    with Image.open(io.BytesIO(data[:33] + _TEXT_OF_A_MEGABYTE * 50 + data[33:])) as opened:
        opened.load()
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak > 2e6


@pytest.mark.parametrize("kind", [b"tEXt", b"IDAT", b"abCd", b"ABCD"])
def test_a_png_of_very_many_chunks_is_refused(kind: bytes) -> None:
    """Each would be looked at."""
    data = file_of(np.zeros((256, 256, 3), np.uint8), "png")
    with pytest.raises(BadImageError, match="more than 256 chunks"):
        read("png", data[:33] + png_chunk(kind, b"") * 300 + data[33:])


@pytest.mark.parametrize("marker", [0xDB, 0xE1, 0xEE, 0xFE])
def test_a_jpeg_of_very_many_segments_is_refused(marker: int) -> None:
    """Each would be looked at."""
    data = file_of(picture_of(3), "jpeg")
    with pytest.raises(BadImageError, match="more than 256 segments"):
        read("jpeg", data[:2] + bytes([255, marker, 0, 2]) * 300 + data[2:])


def test_notes_in_a_jpeg_change_nothing() -> None:
    """Comments, EXIF, profiles and fill bytes are stepped over; what says how colours are coded stays."""
    data = file_of(picture_of(3), "jpeg")
    notes = b"".join(bytes([255, marker]) + b"\x01\x02" + bytes(256) for marker in (0xFE, 0xE1, 0xE2, 0xED))
    np.testing.assert_array_equal(read("jpeg", data[:2] + notes + b"\xff" * 9 + data[2:]), read("jpeg", data))
    out = io.BytesIO()
    Image.fromarray(picture_of(3)).save(out, "jpeg", keep_rgb=True)  # told by no JFIF segment
    assert np.abs(read("jpeg", out.getvalue()).astype(int) - picture_of(3)).mean() < 16


@pytest.mark.parametrize("odd", [b"\xff\x00", b"\xff\xd0\x00\x02", b"\xff\x01\x00\x02", b"\x00\x00"])
def test_a_jpeg_with_what_is_no_segment_is_refused(odd: bytes) -> None:
    """Behind such a marker readers disagree on where the next part begins."""
    data = file_of(picture_of(3), "jpeg")
    with pytest.raises(BadImageError, match="marker"):
        read("jpeg", data[:2] + odd + data[2:])
