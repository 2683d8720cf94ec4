"""PROTOCOL.md says what the code does: every field, word, number and byte that a machine can compare."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest
import zmq
from msgspec import Struct

from wilor_protocol import errors, events, hands, limits, names, replies, requests
from wilor_protocol.codec import decode_request
from wilor_protocol.errors import RETRYABLE, ErrorCode
from wilor_protocol.version import PROTOCOL_VERSION
from wilor_sidecar.metrics import Counted

from . import golden_messages, protocol_md
from .golden_files import GOLDEN, pack

_EVERY_REQUEST = "Every request"
_EVERY_ANSWER = "Every answer"
_NO_TABLE = (requests.Request, replies.Reply, replies.ReplyHead)  # part of others, or a part of them

_HEADINGS: dict[type[Struct], tuple[str, ...]] = {
    requests.HelloRequest: (_EVERY_REQUEST,),
    requests.StatusRequest: (_EVERY_REQUEST,),
    requests.PingRequest: (_EVERY_REQUEST, "Request ping"),
    requests.TopologyRequest: (_EVERY_REQUEST,),
    requests.EstimateRequest: (_EVERY_REQUEST, "Request estimate"),
    requests.HandCrop: ("Crop",),
    requests.EncodedImage: ("Compressed crop",),
    replies.HelloReply: (_EVERY_ANSWER, "Reply to hello"),
    replies.ModelInfo: ("Model",),
    replies.Limits: ("Limits of this daemon",),
    replies.Endpoints: ("Endpoints",),
    replies.Clocks: ("Clocks",),
    replies.StatusReply: (_EVERY_ANSWER, "Reply to status"),
    replies.Device: ("Device",),
    replies.Memory: ("Memory",),
    replies.Process: ("Process",),
    replies.Queue: ("Queue",),
    replies.Percentiles: ("Percentiles",),
    replies.PongReply: (_EVERY_ANSWER, "Reply to ping"),
    replies.TopologyReply: (_EVERY_ANSWER, "Reply to topology"),
    replies.EstimateReply: (_EVERY_ANSWER, "Reply to estimate"),
    replies.Timing: ("Timing",),
    replies.RefusalReply: ("Refusal",),
    errors.WireError: ("Error",),
    hands.Hand: ("Hand",),
    hands.Mano: ("MANO",),
    events.HandsEvent: ("Event hands/SOURCE or joints/SOURCE",),
    events.StateEvent: ("Event state",),
}


def _declared_types() -> set[type[Struct]]:
    return {
        found
        for module in (requests, replies, hands, events, errors)
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Struct) and found.__module__ == module.__name__
    }


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.replace(",", " ").split() if word != "or")


def test_every_type_is_described() -> None:
    """No type of the wire is without its table."""
    assert _declared_types() == {*_HEADINGS, *_NO_TABLE}


@pytest.mark.parametrize("kind", _HEADINGS, ids=lambda kind: kind.__name__)
def test_a_table_has_the_fields_of_its_type(kind: type[Struct]) -> None:
    """Every field is in its table, in the order in which it is written, and nothing else is."""
    described = [row["field"] for heading in _HEADINGS[kind] for row in protocol_md.table(heading)]
    assert described == [*_tag(kind), *kind.__struct_encode_fields__]


@pytest.mark.parametrize("kind", _HEADINGS, ids=lambda kind: kind.__name__)
def test_a_table_says_what_may_be_absent(kind: type[Struct]) -> None:
    """A field is called optional exactly when its type leaves it out."""
    described = {row["field"] for heading in _HEADINGS[kind] for row in protocol_md.table(heading) if _optional(row)}
    required = kind.__struct_fields__[: len(kind.__struct_fields__) - len(kind.__struct_defaults__)]
    may_lack = set(kind.__struct_fields__) - set(required) if kind.__struct_config__.omit_defaults else set()
    assert described == may_lack


def _tag(kind: type[Struct]) -> list[str]:
    field = kind.__struct_config__.tag_field
    return [field] if field else []


def _optional(row: protocol_md.Row) -> bool:
    return row["type"].endswith("optional")


def test_the_array_table_has_the_parts_of_an_array() -> None:
    """An array's map is described field by field."""
    described = [row["field"] for row in protocol_md.table("MessagePack")]
    assert described == list(golden_messages.replies()["topology_reply"]["faces"])


def test_the_version_is_that_of_the_code() -> None:
    """The document is about the version that the code speaks."""
    assert protocol_md.TEXT.startswith(f"# The wire of wilor-sidecar, protocol {PROTOCOL_VERSION}\n")
    assert f"The version is **{PROTOCOL_VERSION}**." in protocol_md.TEXT


def test_the_operations_are_those_of_the_code() -> None:
    """The operations' names are complete."""
    op = protocol_md.table(_EVERY_REQUEST)[0]
    tags = tuple(kind.__struct_config__.tag for kind in get_args(requests.AnyRequest))
    assert (op["field"], _words(op["range"])) == ("op", tags)


def test_the_words_of_a_field_are_those_of_the_code() -> None:
    """Sides, codecs and parts that may be wanted are complete."""
    estimate, crop, image = (
        {row["field"]: row["range"] for row in protocol_md.table(heading)}
        for heading in ("Request estimate", "Crop", "Compressed crop")
    )
    assert _words(crop["side"]) == get_args(names.Side)
    assert _words(estimate["want"].removeprefix("0 to 4 of ")) == get_args(requests.Want)
    assert _words(image["codec"]) == get_args(requests.EncodedImage.__annotations__["codec"])


def test_the_limits_are_those_of_the_code() -> None:
    """Every limit has the code's number."""
    described = {row["name"]: int(row["value"].replace(",", "")) for row in protocol_md.table("Limits")}
    assert described == {name: value for name, value in vars(limits).items() if name.isupper()}


def test_the_error_codes_are_those_of_the_code() -> None:
    """Every code is there, in order, and says rightly whether to try again."""
    described = [(row["code"], row["retryable"]) for row in protocol_md.table("Error codes")]
    assert described == [(code.value, "yes" if code in RETRYABLE else "no") for code in ErrorCode]


def test_the_counters_are_those_of_the_code() -> None:
    """Those that go by operation or code, and each that has a name of its own."""
    described = [row["counter"] for row in protocol_md.table("Counters")]
    assert described == ["requests_OP", "answered_OP", "refused_CODE", *get_args(Counted)]


def test_the_states_are_those_of_the_code() -> None:
    """Every state is there, in the order of a life, and its refusals are error codes."""
    rows = protocol_md.table("States")
    assert tuple(row["state"] for row in rows) == get_args(replies.State)
    answers = {row[column] for row in rows for column in ("estimate and deep ping", "topology")}
    codes = {answer.rpartition(" ")[2] for answer in answers if "answered" not in answer and answer != "no reply"}
    assert codes <= {code.value for code in ErrorCode}


def test_the_joints_are_those_of_the_code() -> None:
    """Key points and rotations have the code's names, numbers and parents."""
    rows = protocol_md.table("Joints and rotations")
    assert [int(row["number"]) for row in rows] == list(range(21))
    assert tuple(row["key point"] for row in rows) == names.JOINT_NAMES
    assert tuple(int(row["parent"]) for row in rows) == names.JOINT_PARENTS
    rotations = {int(row["rotation's number"]): row["rotation"] for row in rows if row["rotation"]}
    assert tuple(rotations[number] for number in range(16)) == names.ROTATION_NAMES


def test_a_rotation_has_the_parent_of_its_key_point() -> None:
    """The rule that the document gives in place of a column holds."""
    by_name = dict(zip(names.JOINT_NAMES, names.JOINT_PARENTS, strict=True))
    for name, parent in zip(names.ROTATION_NAMES[1:], names.ROTATION_PARENTS[1:], strict=True):
        assert names.ROTATION_NAMES[parent] == names.JOINT_NAMES[by_name[name]]


def test_the_topics_are_those_of_the_code() -> None:
    """Each topic is spelled as the code spells it."""
    described = [row["topic"] for row in protocol_md.table("Events")]
    assert described == [events.hands_topic("SOURCE"), events.joints_topic("SOURCE"), events.STATE_TOPIC]


@pytest.mark.parametrize("name", ["ping_deep", "refusal_busy"])
def test_an_example_is_the_golden_message(name: str) -> None:
    """The bytes that the document explains are those of the file that it names."""
    block = protocol_md.code_after(f"`golden/{name}.bin`")
    written = bytes.fromhex("".join(line.partition("   ")[0] for line in block.splitlines()))
    assert written == (GOLDEN / f"{name}.bin").read_bytes()


def test_the_client_of_the_document_works(tmp_path: Path, short_dir: Path) -> None:
    """Run as it is printed, the client says hello, asks for an estimate and reads the wrist."""
    script = tmp_path / "client.py"
    script.write_text(protocol_md.code_after("## A client"))
    with _stub_daemon(f"ipc://{short_dir}/r") as address:
        run = subprocess.run(
            [sys.executable, script, address], capture_output=True, text=True, timeout=120, check=False
        )
    assert (run.stderr, run.returncode) == ("", 0)
    assert run.stdout == "wilor-sidecar 0.1.0\nright wrist at -0.500 -0.484 -0.469 m, 26.0 ms\n"


@contextmanager
def _stub_daemon(address: str) -> Iterator[str]:
    """A ROUTER that reads two requests with our codec and answers each with the golden reply."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.bind(address)
        thread = threading.Thread(target=_answer_two, args=(router,))
        thread.start()
        try:
            yield address
        finally:
            thread.join()


def _answer_two(router: zmq.Socket[bytes]) -> None:
    answers = {requests.HelloRequest: "hello_reply", requests.EstimateRequest: "estimate_reply_keypoints"}
    for _ in range(2):
        if not router.poll(60_000):
            return
        *envelope, body = router.recv_multipart()
        request = decode_request(body)
        reply = golden_messages.replies()[answers[type(request)]]
        router.send_multipart([*envelope, pack({**reply, "id": request.id})])
