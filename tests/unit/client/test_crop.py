"""The crop rule, against a slow reference written here and, where it is at hand, upstream's own crops."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from wilor_client.crop import Box, MissingOpenCVError, make_crop, opencv
from wilor_protocol.names import Side

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "reference" / "frame"

pytest.importorskip("cv2", reason="cutting crops needs the extra `camera`")


def photograph(height: int = 300, width: int = 400) -> npt.NDArray[np.uint8]:
    """Colourful blobs, a few pixels across and of full contrast: a shift by half a pixel shows."""
    noise = np.random.default_rng(7).normal(size=(height, width, 3))
    blobs = gaussian_filter(noise, (2.5, 2.5, 0))
    return np.asarray(np.clip(128 + 55 * blobs / blobs.std(), 0, 255), np.uint8)


def upstream_crop(image: npt.NDArray[np.uint8], box: Box, side: Side) -> npt.NDArray[np.float64]:
    """What the network should see, said slowly: mirror the photograph, blur all of it, sample pixel by pixel."""
    x1, y1, x2, y2 = box
    cx, cy, size = (x1 + x2) / 2, (y1 + y2) / 2, 2.5 * max(x2 - x1, y2 - y1)
    picture = image.astype(np.float64)
    if side == "left":
        picture, cx = picture[:, ::-1], image.shape[1] - cx - 1
    factor = size / 256 / 2
    if factor > 1.1:
        sigma = (factor - 1) / 2
        picture = gaussian_filter(picture, (sigma, sigma, 0), mode="nearest", truncate=4.0)
    pixel = (np.arange(256) - 128) * size / 256
    by_row = bilinear(picture, cy + pixel)
    return bilinear(by_row.swapaxes(0, 1), cx + pixel).swapaxes(0, 1)


def bilinear(picture: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rows of the picture at fractional places, black outside."""
    first = np.floor(at).astype(int)
    share = (at - first)[:, None, None]
    sampled: npt.NDArray[np.float64] = (1 - share) * rows_or_black(picture, first)
    sampled += share * rows_or_black(picture, first + 1)
    return sampled


def rows_or_black(picture: npt.NDArray[np.float64], rows: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """Those rows of the picture, black where there are none."""
    inside = (rows >= 0) & (rows < len(picture))
    return picture[np.clip(rows, 0, len(picture) - 1)] * inside[:, None, None]


def as_the_network_sees(pixels: npt.NDArray[np.uint8], side: Side) -> npt.NDArray[np.float64]:
    """The daemon's mirror: x -> 255 - x for a left hand."""
    return (pixels[:, ::-1] if side == "left" else pixels).astype(np.float64)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "box",
    [
        pytest.param((120.0, 90.0, 200.0, 170.0), id="enlarged"),
        pytest.param((100.3, 50.7, 231.9, 160.2), id="fractional"),
        pytest.param((-30.0, 180.0, 60.0, 330.0), id="over the corner"),
        pytest.param((60.0, 20.0, 340.0, 280.0), id="blurred"),
        pytest.param((-300.0, -200.0, 500.0, 400.0), id="blurred, all of the frame inside"),
    ],
)
def test_network_sees_upstreams_pixels(box: Box, side: Side) -> None:
    """After the daemon's mirror, a crop is upstream's to within rounding, for both sides."""
    image = photograph()
    difference = np.abs(as_the_network_sees(make_crop(image, box, side).pixels, side) - upstream_crop(image, box, side))
    print(f"mean {difference.mean():.3f}, max {difference.max():.2f} of 255")
    assert difference.mean() < 0.5
    assert difference.max() < 8.0  # OpenCV may hold bilinear weights to 1/32, which shows where the frame ends


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "box",
    [
        pytest.param((480.0, 480.0, 1120.0, 1120.0), id="from edge to edge"),
        pytest.param((510.0, 520.0, 1090.0, 1080.0), id="within the frame"),
    ],
)
def test_blur_is_upstreams_to_its_edges(box: Box, side: Side) -> None:
    """Blurring only what is read equals blurring all: on noise, the reach and the frame's edge would show."""
    noise = np.random.default_rng(2).integers(0, 256, (1600, 1600, 3), np.uint8)
    difference = np.abs(as_the_network_sees(make_crop(noise, box, side).pixels, side) - upstream_crop(noise, box, side))
    print(f"mean {difference.mean():.3f}, max {difference.max():.2f} of 255")
    assert difference.mean() < 0.4
    assert difference.max() < 3.0


@pytest.mark.skipif(not GOLDEN.exists(), reason="the reference folder is not beside this checkout")
def test_golden_crops_are_met() -> None:
    """Upstream's own crops of a photograph come out the same, left and right."""
    cv2 = opencv()
    golden = np.load(GOLDEN / "golden_frame.npz")
    photo = cv2.imread(str(GOLDEN / "photo.jpg"), cv2.IMREAD_COLOR)
    assert photo is not None
    for box, is_right, expected in zip(
        golden["bboxes_xyxy"].tolist(), golden["is_right"], golden["crops_rgb_float"], strict=True
    ):
        side: Side = "right" if is_right else "left"
        crop = make_crop(np.asarray(photo[..., ::-1], np.uint8), tuple(box), side)
        difference = np.abs(as_the_network_sees(crop.pixels, side) - expected)
        print(f"{side}: mean {difference.mean():.4f}, max {difference.max():.1f} of 255")
        assert difference.mean() < 0.1


@pytest.mark.parametrize(("side", "column"), [("right", 128), ("left", 127)])
def test_box_centre_lands_on_its_column(side: Side, column: int) -> None:
    """Where nothing is resized, the crop is the photograph's own pixels with the box's centre at (column, 128)."""
    image = photograph()
    crop = make_crop(image, (136.0, 86.0, 264.0, 214.0), side, rescale=2.0)
    assert crop.box == (200.0, 150.0, 256.0)
    np.testing.assert_array_equal(crop.pixels, image[150 - 128 : 150 + 128, 200 - column : 200 - column + 256])


def test_left_is_the_mirror_of_right() -> None:
    """A left crop is the mirrored right crop of the mirrored photograph, to within rounding."""
    image = photograph()
    x1, y1, x2, y2 = 90.0, 40.0, 210.0, 230.0
    right_edge = image.shape[1] - 1
    mirrored = make_crop(image[:, ::-1], (right_edge - x2, y1, right_edge - x1, y2), "right").pixels[:, ::-1]
    left = make_crop(image, (x1, y1, x2, y2), "left").pixels
    assert np.abs(left.astype(int) - mirrored).max() <= 1


def test_outside_the_frame_is_black() -> None:
    """What a cut takes from beyond the frame is 0, and only that."""
    white = np.full((100, 100, 3), 255, np.uint8)
    pixels = make_crop(white, (-64.0, -64.0, 64.0, 64.0), "right", rescale=2.0).pixels
    assert pixels[:128].max() == 0
    assert pixels[:, :128].max() == 0
    assert pixels[128:228, 128:228].min() == 255


@pytest.mark.parametrize("box", [(500.0, 0.0, 600.0, 80.0), (0.0, -900.0, 100.0, -700.0)])
def test_box_outside_the_frame_is_all_black(box: Box) -> None:
    """A box that misses the photograph gives a black crop, not an error."""
    assert make_crop(photograph(), box, "left").pixels.max() == 0


def test_shrinking_blurs_and_enlarging_does_not() -> None:
    """One-pixel noise is smoothed before it is thinned out; up to a factor of 2.2 the pixels are taken as they are."""
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1200, 3), np.uint8)
    centre = np.array([600.0, 600.0])
    contrast = {}
    for step in (2.0, 4.0):
        half = step * 256 / 2
        box = (*(centre - half).tolist(), *(centre + half).tolist())
        contrast[step] = make_crop(noise, box, "right", rescale=1.0).pixels.std()
    assert contrast[2.0] > 70
    assert contrast[4.0] < 50


def test_huge_box_shows_the_photograph_as_a_speck() -> None:
    """A box hundreds of times the photograph is cut without memory to match."""
    pixels = make_crop(photograph(), (-20_000.0, -20_000.0, 20_000.0, 20_000.0), "right").pixels
    assert pixels.shape == (256, 256, 3)
    assert 0 < np.count_nonzero(pixels.any(axis=-1)) <= 4


def test_tiny_box_shows_one_pixel() -> None:
    """A box far inside one pixel is filled with that pixel's colour."""
    image = photograph()
    pixels = make_crop(image, (49.999, 29.999, 50.001, 30.001), "right").pixels
    assert np.abs(pixels.astype(int) - image[30, 50]).max() <= 1


def test_crop_is_contiguous_and_the_photograph_untouched() -> None:
    """Pixels can go on the wire as they are, and any view of a photograph will do."""
    bgr = photograph()
    before = bgr.copy()
    box = (100.0, 100.0, 200.0, 220.0)
    crop = make_crop(bgr[..., ::-1], box, "left")
    assert crop.pixels.flags.c_contiguous
    assert crop.pixels.shape == (256, 256, 3)
    assert crop.pixels.dtype == np.uint8
    np.testing.assert_array_equal(crop.pixels, make_crop(bgr, box, "left").pixels[..., ::-1])
    np.testing.assert_array_equal(bgr, before)


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9, 3), np.float32), np.zeros((9, 9), np.uint8), np.zeros((0, 9, 3), np.uint8), [[0]]]
)
def test_other_images_are_refused(image: npt.NDArray[np.uint8]) -> None:
    """An image of another type or shape is refused by name."""
    with pytest.raises(ValueError, match=r"image_rgb: got .*expected .*\(H, W, 3\)"):
        make_crop(image, (1.0, 1.0, 5.0, 5.0), "right")


@pytest.mark.parametrize(
    "box",
    [
        (5.0, 1.0, 5.0, 9.0),
        (1.0, 9.0, 5.0, 1.0),
        (1.0, 1.0, float("nan"), 5.0),
        (1.0, 1.0, float("inf"), 5.0),
        (1.0, 1.0, 5.0),
        (0.0, 0.0, 1e6, 1e6),
    ],
)
def test_other_boxes_are_refused(box: Box) -> None:
    """An empty, reversed, infinite or incomplete box is refused by name."""
    with pytest.raises(ValueError, match=r"box: got .*expected"):
        make_crop(photograph(), box, "right")


def test_unknown_side_is_refused() -> None:
    """A side that is neither left nor right is refused by name."""
    with pytest.raises(ValueError, match="side: got 'Right', expected 'left' or 'right'"):
        make_crop(photograph(), (1.0, 1.0, 5.0, 5.0), "Right")  # type: ignore[arg-type]


@pytest.mark.parametrize("rescale", [0.0, -2.5, float("nan")])
def test_other_rescales_are_refused(rescale: float) -> None:
    """A rescale that is not positive is refused by name."""
    with pytest.raises(ValueError, match="rescale: got"):
        make_crop(photograph(), (1.0, 1.0, 5.0, 5.0), "right", rescale=rescale)


def test_missing_opencv_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenCV the error says what to install."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingOpenCVError, match="pip install opencv-python"):
        make_crop(photograph(), (1.0, 1.0, 5.0, 5.0), "right")


def test_importing_needs_no_opencv() -> None:
    """The modules that use OpenCV are imported without it."""
    probe = "import sys; sys.modules['cv2'] = None; import wilor_client.crop, wilor_client.drawing"
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_a_cut_wider_than_opencv_takes_is_refused() -> None:
    """By a sentence, where OpenCV has none; a hand on a wider picture is cut as on any other."""
    strip = np.zeros((2, 32_768, 3), np.uint8)
    strip[:, 30_000:] = 255
    with pytest.raises(ValueError, match=r"^box: expected a cut of at most 32766 pixels .* got 32768 x 2"):
        make_crop(strip, (0, 0, 32_768, 2), "right")
    with pytest.raises(ValueError, match=r"^box: .* got 2 x 32768"):
        make_crop(np.ascontiguousarray(strip.swapaxes(0, 1)), (0, 0, 2, 32_768), "left")
    crop = make_crop(strip, (29_999, 0, 30_001, 2), "right", rescale=1)
    assert crop.pixels[128, 0].max() == 0
    assert crop.pixels[128, 255].min() == 255
