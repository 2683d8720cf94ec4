"""What is counted and timed."""

import numpy as np
import pytest

from wilor_protocol.errors import ErrorCode
from wilor_protocol.requests import AnyRequest, HelloRequest, PingRequest, StatusRequest, TopologyRequest
from wilor_protocol.version import PROTOCOL_VERSION
from wilor_sidecar.metrics import Metrics

from .fakes import request_of, timing_of


@pytest.mark.parametrize(
    ("request_", "counter"),
    [
        (HelloRequest(id=1, v=PROTOCOL_VERSION), "requests_hello"),
        (StatusRequest(id=1, v=PROTOCOL_VERSION), "requests_status"),
        (PingRequest(id=1, v=PROTOCOL_VERSION), "requests_ping"),
        (TopologyRequest(id=1, v=PROTOCOL_VERSION), "requests_topology"),
        (request_of(), "requests_estimate"),
    ],
)
def test_requests_are_counted_by_what_they_ask(request_: AnyRequest, counter: str) -> None:
    """Each kind has a counter of those that came and one of those that were answered, named as on the wire."""
    metrics = Metrics()
    metrics.count_request(request_)
    metrics.count_request(request_)
    metrics.count_answer(request_)
    assert metrics.counters == {counter: 2, counter.replace("requests_", "answered_"): 1}


def test_a_request_that_cannot_be_read_is_counted() -> None:
    """It is refused like others, and requests and refusals have to balance."""
    metrics = Metrics()
    metrics.count_request(None)
    assert metrics.counters == {"requests_unreadable": 1}


@pytest.mark.parametrize("code", list(ErrorCode))
def test_refusals_are_counted_by_code(code: ErrorCode) -> None:
    """Each code has a counter, named as on the wire."""
    metrics = Metrics()
    metrics.count_refusal(code)
    assert metrics.counters == {f"refused_{code.value}": 1}


def test_batches_and_crops_are_counted() -> None:
    """So that the usual batch size can be seen."""
    metrics = Metrics()
    metrics.count_batch(3)
    metrics.count_batch(8)
    assert metrics.counters == {"batches": 2, "crops": 11}


def test_nothing_timed_has_no_percentiles() -> None:
    """Before the first answer there are none, not zeros."""
    assert Metrics().latency_ms() == {}


def test_an_answer_is_timed() -> None:
    """Each stage has its own percentiles."""
    metrics = Metrics()
    metrics.note_times(timing_of(queue_ms=1.5, model_ms=2.5, total_ms=4.25))
    stages = metrics.latency_ms()
    assert {stage: (each.p50, each.p95, each.p99, each.count) for stage, each in stages.items()} == {
        "queue": (1.5, 1.5, 1.5, 1),
        "model": (2.5, 2.5, 2.5, 1),
        "total": (4.25, 4.25, 4.25, 1),
    }


def test_percentiles_are_percentiles() -> None:
    """Half, 95 and 99 of a hundred answers are no slower, in whatever order they came."""
    metrics = Metrics()
    for total_ms in np.random.default_rng(1).permutation(101):
        metrics.note_times(timing_of(total_ms=float(total_ms)))
    total = metrics.latency_ms()["total"]
    assert (total.p50, total.p95, total.p99, total.count) == (50, 95, 99, 101)


def test_only_the_last_thousand_answers_are_timed() -> None:
    """Old times are forgotten, and memory does not grow."""
    metrics = Metrics()
    for total_ms in [9000.0] * 500 + [1.0] * 1024:
        metrics.note_times(timing_of(total_ms=total_ms))
    total = metrics.latency_ms()["total"]
    assert (total.p99, total.count) == (1.0, 1024)
