"""A status reply in words, for `status` and `top`."""

from collections.abc import Iterator, Mapping

from wilor_protocol.replies import StatusReply

_UNITS = (("days", 86_400), ("h", 3600), ("min", 60))


def status_lines(status: StatusReply) -> list[str]:
    """Everything, one thing a line."""
    rows = [("server", f"{status.server}, pid {status.pid}, up {duration(status.uptime_s)}"), *about(status)]
    rows += [(f"{stage} time", text) for stage, text in latencies(status).items()]
    rows += [(name, str(count)) for name, count in sorted(status.counters.items())]
    rows += [("subscribed", topic) for topic in status.subscriptions]
    rows += [("limits", _limits(status)), ("versions", ", ".join(f"{k} {v}" for k, v in status.versions.items()))]
    return [_printable(line) for line in (f"{status.state}: {status.reason}", *aligned(rows))]


def about(status: StatusReply) -> Iterator[tuple[str, str]]:
    """Whether it works, what serves, on what, and what it uses now."""
    asked = (("live", status.live), ("ready", status.ready), ("model ready", status.model_ready))
    yield "health", ", ".join(name if is_so else f"not {name}" for name, is_so in asked)
    if status.model:
        model = status.model
        trained = "" if model.trained else "; untrained: its poses mean nothing"
        yield "model", f"{model.name}, {model.width} x {model.depth}, {model.dtype}{trained}"
        yield "licence", model.licence
    if status.device:
        device = status.device
        blas = device.blas or "own BLAS"
        yield "device", f"{device.name}, {blas}, {device.gflops:.0f} GFLOP/s, mlx {device.mlx}"
    yield "memory", memory(status)
    process = status.process
    files = f"{process.open_files} of {process.open_files_limit} files"
    yield "process", f"{process.cpu_s:.1f} s computed, {process.threads} threads, {files}"
    queue = status.queue
    yield "queue", f"{queue.waiting_crops} of {queue.waiting_limit} crops wait, {queue.running_crops} run"


def memory(status: StatusReply) -> str:
    """The process's, and MLX's part in it."""
    text = f"{megabytes(status.process.resident)} resident"
    if status.memory is None:
        return text
    mlx = status.memory
    parts = f"{megabytes(mlx.active)} in use, {megabytes(mlx.cache)} kept, {megabytes(mlx.peak)} at most"
    return f"{text}, {megabytes(mlx.process_peak)} at most; MLX: {parts}"


def latencies(status: StatusReply) -> Mapping[str, str]:
    """The percentiles of each stage."""
    return {
        stage: f"p50 {times.p50:.2f} ms, p95 {times.p95:.2f} ms, p99 {times.p99:.2f} ms of the last {times.count}"
        for stage, times in status.latency_ms.items()
    }


def aligned(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns."""
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def megabytes(size: int) -> str:
    """A size in memory."""
    return f"{size / 1e6:,.0f} MB"


def duration(seconds: float) -> str:
    """A time in the largest unit that fits."""
    for unit, size_s in _UNITS:
        if seconds >= size_s:
            return f"{seconds / size_s:.1f} {unit}"
    return f"{seconds:.0f} s"


def _limits(status: StatusReply) -> str:
    limits = status.limits
    request = f"{limits.max_hands} hands and {limits.max_request_bytes:,} bytes a request"
    return f"{request}, {limits.crop_bytes:,} bytes a crop, {limits.max_source_length} characters a source"


def _printable(line: str) -> str:
    """Topics are whatever somebody subscribed to; none may give the terminal an order."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in line)
