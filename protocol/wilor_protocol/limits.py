"""The numbers of the wire that a sender must respect; PROTOCOL.md gives the same table."""

CROP_SIDE_PX = 256
CROP_BYTES = CROP_SIDE_PX * CROP_SIDE_PX * 3
"""196,608: a crop is 256 x 256 x 3 uint8 RGB, row-major."""

MAX_HANDS = 8
"""Hands in one request, and crops in one batch of the network."""

MAX_REQUEST_BYTES = MAX_HANDS * CROP_BYTES + 64 * 1024
"""Eight raw crops and what goes with them. A larger request is answered `too_large`..."""
MAX_FRAME_BYTES = 2 * 1024 * 1024 - 1
"""...and a ZeroMQ frame beyond this ends its sender's connection, before it is read."""

MAX_SOURCE_LENGTH = 64
MAX_INTEGER = 2**53
"""Beyond it a JavaScript reader would lose digits."""
MAX_TIME_NS = 2**63 - 1
MAX_AHEAD_NS = 10 * 10**9
"""A frame that was taken further in the future has its time from another clock."""
MAX_IMAGE_SIDE_PX = 1 << 16
MAX_DEADLINE_MS = 60_000.0
MAX_COORDINATE_PX = 16 * MAX_IMAGE_SIDE_PX
"""A box may reach far out of its image, but not so far that float32 cannot hold what follows from it."""
MAX_FOCAL_PX = 1e7
