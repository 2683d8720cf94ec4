"""What is drawn over a photograph, where, and what is left alone."""

import numpy as np
import numpy.typing as npt
import pytest

from wilor_client.drawing import (
    FINGER_COLOURS,
    SIDE_COLOURS,
    Camera,
    draw_hand,
    draw_label,
    draw_mesh,
    draw_skeleton,
    project_points,
)

pytest.importorskip("cv2", reason="drawing needs the extra `camera`")

GREY = np.full((200, 200, 3), 90, np.uint8)
CAMERA = Camera(np.array([0.0, 0.0, 1.0]), (200.0, 200.0), (100.0, 100.0))
WHITE = (255, 255, 255)

SQUARE = np.array([[-0.2, -0.2, 0.0], [0.2, -0.2, 0.0], [0.2, 0.2, 0.0], [-0.2, 0.2, 0.0]])
SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3]])


def fan(scale: float = 1.0) -> npt.NDArray[np.float64]:
    """Keypoints of a hand spread like a fan: the wrist at the bottom, five straight fingers above it."""
    wrist = np.array([[0.0, 80.0]])
    fingers = [np.array([-60 + 30 * finger, 0.0]) * reach for finger in range(5) for reach in np.linspace(0.4, 1.0, 4)]
    heights = [[0.0, 30.0 - 30.0 * joint] for _ in range(5) for joint in range(4)]
    return np.concatenate([wrist, np.array(fingers) + heights]) * scale + 100


def changed(picture: npt.NDArray[np.uint8], photograph: npt.NDArray[np.uint8] = GREY) -> npt.NDArray[np.bool_]:
    """Where (H, W) the picture is no longer the photograph."""
    return np.asarray((picture != photograph).any(axis=-1))


def test_projection_is_a_pinhole_in_opencv_axes() -> None:
    """A point right of and below the axis lands right of and below the principal point, by focal length over depth."""
    projected = project_points(np.array([[0.1, 0.2, 0.5]]), np.array([0.1, 0.0, 1.5]), (1000.0, 800.0), (320.0, 240.0))
    np.testing.assert_allclose(projected, [[420.0, 320.0]])


def test_points_behind_the_camera_are_not_projected() -> None:
    """Points at or behind the camera come back as NaN instead of as their mirror images."""
    points = np.array([[0.1, 0.1, -1.0], [0.1, 0.1, -2.0], [0.1, 0.1, np.inf], [0.1, 0.1, 0.0]])
    projected = project_points(points, np.array([0.0, 0.0, 1.0]), (100.0, 100.0), (0.0, 0.0))
    assert np.isnan(projected[:3]).all()
    assert np.isfinite(projected[3]).all()


def test_each_finger_has_its_colour() -> None:
    """Halfway along every finger's last bone the picture shows the finger's colour."""
    joints = fan()
    picture = draw_skeleton(GREY, joints)
    for finger, colour in enumerate(FINGER_COLOURS):
        x, y = np.rint(joints[4 * finger + 3 : 4 * finger + 5].mean(axis=0)).astype(int)
        assert np.abs(picture[y, x].astype(int) - colour).max() < 60


def test_the_photograph_is_not_modified() -> None:
    """Drawing gives a new picture and leaves the photograph as it was."""
    photograph = GREY.copy()
    picture = draw_hand(
        photograph,
        keypoints_2d=fan(),
        side="left",
        vertices_m=SQUARE,
        faces=SQUARE_FACES,
        camera=CAMERA,
        label="left",
    )
    np.testing.assert_array_equal(photograph, GREY)
    assert picture.shape == GREY.shape
    assert changed(picture).any()


def test_lines_grow_with_the_hand() -> None:
    """A hand six times the size has lines more than twice as wide."""
    small, large = fan(), fan(6.0)
    canvas = np.full((1300, 1300, 3), 90, np.uint8)
    per_length_small = changed(draw_skeleton(canvas, small + 300), canvas).sum()
    per_length_large = changed(draw_skeleton(canvas, large + 100), canvas).sum() / 6
    assert per_length_large > 2 * per_length_small


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_points_that_are_nowhere_are_left_out(bad: float) -> None:
    """A joint that is not finite, or absurdly far, takes its bones with it and leaves the other fingers."""
    joints = fan()
    joints[6] = bad
    picture, whole = draw_skeleton(GREY, joints), draw_skeleton(GREY, fan())
    x, y = np.rint(fan()[5:7].mean(axis=0)).astype(int)
    assert not changed(picture)[y, x]
    assert changed(whole)[y, x]
    x, y = np.rint(fan()[16]).astype(int)
    assert changed(picture)[y, x]


def test_nothing_drawable_leaves_the_photograph() -> None:
    """A hand of NaN, in skeleton, mesh and label, gives an unchanged copy."""
    picture = draw_hand(
        GREY,
        keypoints_2d=np.full((21, 2), np.nan),
        side="right",
        vertices_m=np.full((4, 3), np.nan),
        faces=SQUARE_FACES,
        camera=CAMERA,
        label="right",
    )
    assert not changed(picture).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (24, 32), (1080, 1920)])
def test_any_picture_size_works(size: tuple[int, int]) -> None:
    """Hands in, across and beyond pictures of any size are drawn without complaint."""
    photograph = np.zeros((*size, 3), np.uint8)
    for scale, shift in ((0.1, 0.0), (1.0, -50.0), (30.0, 0.0), (1.0, 5000.0)):
        joints = fan(scale) + shift
        picture = draw_hand(
            photograph,
            keypoints_2d=joints,
            side="right",
            vertices_m=SQUARE + np.array([shift / 100, 0, 0]),
            faces=SQUARE_FACES,
            camera=CAMERA,
            label="right",
        )
        assert picture.shape == photograph.shape


def test_mesh_covers_what_it_projects_to() -> None:
    """A square 0.4 m wide, a metre away, focal length 200: 80 x 80 pixels about the principal point."""
    covered = changed(draw_mesh(GREY, vertices_m=SQUARE, faces=SQUARE_FACES, camera=CAMERA, colour=WHITE))
    rows, columns = np.nonzero(covered)
    assert abs(covered.sum() - 80 * 80) < 330
    assert abs(rows.mean() - 100) < 0.5
    assert abs(columns.mean() - 100) < 0.5


@pytest.mark.parametrize("near_first", [True, False])
def test_nearer_faces_hide_farther_ones(near_first: bool) -> None:
    """Painting goes far to near whatever the order of the faces: a tilted square before a frontal one shows."""
    near = SQUARE * 0.5 - (0, 0, 0.3)
    near[:2, 2] -= 0.1  # tilted, so that its shade differs
    vertices = np.concatenate([near, SQUARE])
    faces = np.concatenate([SQUARE_FACES, SQUARE_FACES + 4])
    ordered = faces if near_first else faces[::-1]
    both = draw_mesh(GREY, vertices_m=vertices, faces=ordered, camera=CAMERA, colour=WHITE)
    near_only = draw_mesh(GREY, vertices_m=near, faces=SQUARE_FACES, camera=CAMERA, colour=WHITE)
    far_only = draw_mesh(GREY, vertices_m=SQUARE, faces=SQUARE_FACES, camera=CAMERA, colour=WHITE)
    np.testing.assert_array_equal(both[100, 100], near_only[100, 100])
    assert (both[100, 100] != far_only[100, 100]).any()


def test_winding_does_not_matter() -> None:
    """A mesh wound the other way, as a mirrored hand's is, looks the same."""
    usual = draw_mesh(GREY, vertices_m=SQUARE, faces=SQUARE_FACES, camera=CAMERA, colour=WHITE)
    reversed_ = draw_mesh(GREY, vertices_m=SQUARE, faces=SQUARE_FACES[:, ::-1], camera=CAMERA, colour=WHITE)
    np.testing.assert_array_equal(usual, reversed_)


def test_faces_turned_to_the_lamp_are_brighter() -> None:
    """The lamp is above: a square that leans back, its face upwards, is brighter than one that leans forward."""
    upwards, downwards = SQUARE.copy(), SQUARE.copy()
    upwards[:2, 2] += 0.2
    downwards[2:, 2] += 0.2
    bright = draw_mesh(GREY, vertices_m=upwards, faces=SQUARE_FACES, camera=CAMERA, colour=WHITE)[100, 100, 0]
    dark = draw_mesh(GREY, vertices_m=downwards, faces=SQUARE_FACES, camera=CAMERA, colour=WHITE)[100, 100, 0]
    assert int(bright) > int(dark) + 20


def test_opacity_goes_from_photograph_to_mesh() -> None:
    """Opacity 0 leaves the photograph; a half lies halfway between it and the whole mesh."""
    none, half, full = (
        draw_mesh(GREY, vertices_m=SQUARE, faces=SQUARE_FACES, camera=CAMERA, colour=WHITE, opacity=opacity)[100, 100]
        for opacity in (0.0, 0.5, 1.0)
    )
    np.testing.assert_array_equal(none, [90, 90, 90])
    np.testing.assert_allclose(half, (90 + full.astype(float)) / 2, atol=1)


def test_faces_behind_the_camera_are_left_out() -> None:
    """A mesh that the camera stands in loses the faces behind it and keeps those before it."""
    vertices = np.concatenate([SQUARE, SQUARE - (0, 0, 1.5)])
    faces = np.concatenate([SQUARE_FACES, SQUARE_FACES + 4])
    both = draw_mesh(GREY, vertices_m=vertices, faces=faces, camera=CAMERA, colour=WHITE)
    one = draw_mesh(GREY, vertices_m=SQUARE, faces=SQUARE_FACES, camera=CAMERA, colour=WHITE)
    np.testing.assert_array_equal(both, one)


@pytest.mark.parametrize("shift", [-90.0, 0.0, 90.0])
def test_label_stays_in_the_picture(shift: float) -> None:
    """The plate has the side's colour and is whole wherever the hand is."""
    picture = draw_label(GREY, fan(0.5) + shift, "left", SIDE_COLOURS["left"])
    plate = changed(picture)
    rows, columns = np.nonzero(plate)
    assert plate.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    np.testing.assert_array_equal(picture[rows.min(), columns.min()], SIDE_COLOURS["left"])
    assert picture[plate].min() < 60  # the letters


def test_label_that_would_hide_the_picture_is_left_out() -> None:
    """A thumbnail gets no label."""
    thumbnail = np.zeros((24, 32, 3), np.uint8)
    assert not changed(draw_label(thumbnail, fan(0.1), "left", SIDE_COLOURS["left"]), thumbnail).any()


def test_sides_differ_in_colour() -> None:
    """Left and right meshes can be told apart."""
    left, right = (
        draw_hand(GREY, keypoints_2d=fan() + 500, side=side, vertices_m=SQUARE, faces=SQUARE_FACES, camera=CAMERA)[
            100, 100
        ].astype(int)
        for side in ("left", "right")
    )
    assert left[0] > left[2]
    assert right[0] < right[2]


def test_incomplete_mesh_is_refused() -> None:
    """Vertices without faces or camera are a mistake, not a skeleton."""
    with pytest.raises(ValueError, match="vertices_m: a mesh needs faces and camera"):
        draw_hand(GREY, keypoints_2d=fan(), side="left", vertices_m=SQUARE)


@pytest.mark.parametrize("shape", [(20, 2), (21, 3), (42,)])
def test_other_keypoints_are_refused(shape: tuple[int, ...]) -> None:
    """Keypoints of another shape are refused by name."""
    with pytest.raises(ValueError, match="keypoints_2d: got"):
        draw_skeleton(GREY, np.zeros(shape))


@pytest.mark.parametrize("faces", [np.array([[0, 1, 4]]), np.array([[0, 1, -1]]), np.array([[0, 1]]), np.eye(3)])
def test_other_faces_are_refused(faces: npt.NDArray[np.int_]) -> None:
    """Faces of another shape or type, or that name missing vertices, are refused by name."""
    with pytest.raises(ValueError, match="faces: got"):
        draw_mesh(GREY, vertices_m=SQUARE, faces=faces, camera=CAMERA, colour=WHITE)
