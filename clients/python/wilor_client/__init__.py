"""Talk to wilor-sidecar: send hand crops, get 3-D hands, listen to events. Imports no inference code.

with HandClient() as client:
    crop = make_crop(image_rgb, (x1, y1, x2, y2), "right")
    reply = client.estimate(crop, image_size=(width, height))
    print(reply.hands[0].keypoints)
"""

from wilor_client.client import HandClient
from wilor_client.crop import Crop, make_crop
from wilor_client.errors import (
    BadAddressError,
    BadReplyError,
    ClosedError,
    ForkedError,
    HandClientError,
    InUseError,
    NoReplyError,
    RefusedError,
    SocketError,
)
from wilor_client.events import HandEvents, StateEvents
from wilor_client.frame_hands import hand_crop
from wilor_client.keys import ClientKeys
from wilor_client.pose_event import PoseEvent
from wilor_protocol.errors import ErrorCode
from wilor_protocol.events import HandsEvent, StateEvent
from wilor_protocol.hands import Hand, Mano
from wilor_protocol.names import JOINT_NAMES, Side
from wilor_protocol.replies import EstimateReply
from wilor_protocol.requests import HandCrop

__all__ = [
    "JOINT_NAMES",
    "BadAddressError",
    "BadReplyError",
    "ClientKeys",
    "ClosedError",
    "Crop",
    "ErrorCode",
    "EstimateReply",
    "ForkedError",
    "Hand",
    "HandClient",
    "HandClientError",
    "HandCrop",
    "HandEvents",
    "HandsEvent",
    "InUseError",
    "Mano",
    "NoReplyError",
    "PoseEvent",
    "RefusedError",
    "Side",
    "SocketError",
    "StateEvent",
    "StateEvents",
    "hand_crop",
    "make_crop",
]
