"""What a client may ask. One map each, told apart by `op`; PROTOCOL.md is the authority.

Every request checks itself, so a client learns of a mistake before it sends, in much the words that the daemon uses.
"""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from wilor_protocol import limits
from wilor_protocol.checks import require_between, require_length, require_one_of, require_source
from wilor_protocol.names import Side

Want = Literal["keypoints", "vertices", "camera", "mano"]


class EncodedImage(Struct, frozen=True, kw_only=True):
    """A crop as a compressed image of 256 x 256 pixels.

    Attributes:
        codec: "jpeg" or "png".
        data: the file's bytes.
    """

    codec: Literal["jpeg", "png"]
    data: bytes

    def __post_init__(self) -> None:
        require_one_of("codec", self.codec, ("jpeg", "png"))
        require_length("data", self.data, 1, limits.CROP_BYTES)


class HandCrop(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hand of a frame, as the detector cut it out.

    Attributes:
        crop: 196,608 bytes, 256 x 256 x 3 uint8 RGB, row-major, not mirrored; or a compressed image of that size.
        side: the hand that the detector believes it sees.
        side_score: how sure it is of the side, 0 to 1; None when it does not say. Passed through.
        score: how sure it is of the hand, 0 to 1; None when it does not say. Passed through.
        box: centre x, centre y and side of the square that the crop was cut from, in pixels of the whole image.
            None: the answer has no whole-image camera and no 2-D points.
        track: the detector's number for this hand over time; None when it does not track. Passed through.
    """

    crop: bytes | EncodedImage
    side: Side
    side_score: float | None = None
    score: float | None = None
    box: tuple[float, float, float] | None = None
    track: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.crop, bytes) and len(self.crop) != limits.CROP_BYTES:
            raise ValueError(
                f"crop: expected {limits.CROP_BYTES} bytes (256 x 256 x 3 uint8 RGB), got {len(self.crop)}"
            )
        require_one_of("side", self.side, get_args(Side))
        require_between("side_score", self.side_score, 0, 1)
        require_between("score", self.score, 0, 1)
        require_between("track", self.track, 0, limits.MAX_INTEGER)
        if self.box is not None:
            require_length("box", self.box, 3, 3)
            self._check_box(*self.box)

    def _check_box(self, x: float, y: float, side: float) -> None:
        most = limits.MAX_COORDINATE_PX
        for name, value, low in (("0", x, -most), ("1", y, -most), ("2", side, 1)):
            require_between(f"box[{name}]", value, low, most)


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="op"):
    """What every request carries.

    Attributes:
        v: the protocol version that the client speaks. It has no default here: a request always says it.
        id: echoed in the reply; 0 to 2**53.
    """

    id: int
    v: int

    def __post_init__(self) -> None:
        require_between("id", self.id, 0, limits.MAX_INTEGER)


class HelloRequest(Request, frozen=True, kw_only=True, tag="hello"):
    """Who is there, what does it serve, and where are its events?"""


class StatusRequest(Request, frozen=True, kw_only=True, tag="status"):
    """How is the daemon doing?"""


class PingRequest(Request, frozen=True, kw_only=True, tag="ping"):
    """Is anybody there? A deep ping goes through the thread that owns the network."""

    deep: bool = False


class TopologyRequest(Request, frozen=True, kw_only=True, tag="topology"):
    """The faces, names and parents that never change."""


class EstimateRequest(Request, frozen=True, kw_only=True, tag="estimate"):
    """The pose of every hand of one frame.

    Attributes:
        source: the camera or detector that the frame comes from; names the events. 1 to 64 printable characters.
        frame: the frame's number at its source; may skip.
        captured_at_ns: when the frame was taken, on the host's monotonic clock. Of two that wait, the later wins.
        hands: 1 to 8 crops.
        deadline_ms: the answer is worthless when the frame is older than this; None: never.
        publish: whether subscribers get an event too.
        want: the parts that the reply should have; None: all. Events always have all.
        image_size: width and height of the whole image in pixels; needed, with `box`, for the whole-image camera.
        intrinsics: fx, fy, cx, cy of the whole image in pixels; None: upstream's guess from the image's size.
        mirrored: the image was a mirrored (selfie) one. The answer is then of the scene itself: side and x reflected.
    """

    source: str
    frame: int
    captured_at_ns: int
    hands: Annotated[list[HandCrop], Meta(max_length=limits.MAX_HANDS)]
    deadline_ms: float | None = None
    publish: bool = True
    want: Annotated[list[Want], Meta(max_length=4)] | None = None
    image_size: tuple[int, int] | None = None
    intrinsics: tuple[float, float, float, float] | None = None
    mirrored: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_length("hands", self.hands, 1, limits.MAX_HANDS)
        require_source(self.source)
        require_between("frame", self.frame, 0, limits.MAX_INTEGER)
        require_between("captured_at_ns", self.captured_at_ns, 0, limits.MAX_TIME_NS)
        require_between("deadline_ms", self.deadline_ms, 0, limits.MAX_DEADLINE_MS)
        for part in self.want or ():
            require_one_of("want", part, get_args(Want))
        if self.image_size is not None:
            require_length("image_size", self.image_size, 2, 2)
            for side_px in self.image_size:
                require_between("image_size", side_px, 1, limits.MAX_IMAGE_SIDE_PX)
        self._check_camera()

    def _check_camera(self) -> None:
        if self.intrinsics is not None:
            require_length("intrinsics", self.intrinsics, 4, 4)
            most = limits.MAX_COORDINATE_PX
            for index, value in enumerate(self.intrinsics):
                low, high = (1, limits.MAX_FOCAL_PX) if index < 2 else (-most, most)
                require_between(f"intrinsics[{index}]", value, low, high)
        if self.mirrored and self.image_size is None and any(hand.box is not None for hand in self.hands):
            raise ValueError("image_size: expected with box in a mirrored image, whose other side lies there, got none")


AnyRequest = HelloRequest | StatusRequest | PingRequest | TopologyRequest | EstimateRequest
