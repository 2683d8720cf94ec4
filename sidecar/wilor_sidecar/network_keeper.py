"""Has the network there when it is wanted: it is loaded, loaded again, kept awake, let go, and brought back."""

import time
from typing import Literal

from wilor_protocol.replies import Memory
from wilor_sidecar.about import About
from wilor_sidecar.engine import Engine, Loaded
from wilor_sidecar.idle import Idle
from wilor_sidecar.life import Life
from wilor_sidecar.metrics import Metrics
from wilor_sidecar.second_load import SecondLoad


class NetworkKeeper:
    """Tells the engine when to load and when to unload; the engine's reports of it come back here."""

    def __init__(self, *, engine: Engine, life: Life, about: About, metrics: Metrics, idle: Idle) -> None:
        self._engine = engine
        self._life = life
        self._about = about
        self._metrics = metrics
        self._idle = idle
        self._second_load = SecondLoad()
        self._absence: Literal["", "leaving", "gone"] = ""  # of a network that was let go
        self._is_wanted_back = False

    # To have it

    def load(self) -> None:
        """Begin to load the network."""
        self._life.become("loading", "reading and checking the weights")
        self._engine.start()

    def load_later(self, why: str, pause_s: float | None = None) -> None:
        """There is no network for now: say why, and load it after a pause; None: longer each time."""
        pause_s = self._second_load.put_off(time.monotonic_ns(), pause_s)
        at = time.strftime("%H:%M:%S", time.localtime(time.time() + pause_s))
        self._life.follow("degraded", f"{why}; the network is loaded at {at}")

    def load_if_due(self, now_ns: int) -> None:
        """Load what was to be loaded later, when that is now."""
        if self._life.state == "degraded" and self._second_load.is_due(now_ns):
            self.load()

    def has_loaded(self, loaded: Loaded) -> None:
        """The engine has the weights, and warms up."""
        self._about.loaded = loaded
        self._life.follow(
            "warming",
            "running every batch size once, which can take minutes where kernels are compiled for the first time",
        )

    def has_warmed_up(self, memory: Memory | None) -> None:
        """Every batch size has run; `memory` is None where it cannot be told."""
        self._about.memory = memory
        self._about.model_ready = True
        self._second_load.has_succeeded()
        self._idle.note_use(time.monotonic_ns())
        self._life.follow("ready", self._about.service())

    # Whether it is wanted

    def note_use(self, now_ns: int) -> None:
        """Somebody wants the network, now: if it was let go, it comes back."""
        self._idle.note_use(now_ns)
        if self._absence and not self._is_wanted_back:
            self._is_wanted_back = True
            self._life.follow("loading", "a request came while the network was unloaded: reading the weights again")
            self._bring_back()

    def note_work(self, finished_at_ns: int) -> None:
        """The device has had something to do."""
        self._idle.note_work(finished_at_ns)

    def look_after_idle(self, now_ns: int) -> None:
        """Keep the device awake while the network is in use, and let the network go when it has long not been."""
        if self._life.state != "ready":
            return
        if self._idle.should_unload(now_ns):
            self._engine.unload()
            self._about.model_ready = False
            self._absence, self._is_wanted_back = "leaving", False
            self._life.become("loading", "unloaded, because nobody used it; the next request brings the network back")
        elif self._is_on_gpu and self._idle.should_stay_warm(now_ns):
            self._idle.note_work(now_ns)
            self._metrics.count("stay_warm")
            self._engine.stay_warm()

    def wants_to_stay_warm(self, now_ns: int) -> bool:
        """Whether `look_after_idle` should be called again soon."""
        return self._life.state == "ready" and self._is_on_gpu and self._idle.is_in_use(now_ns)

    def has_left(self, memory: Memory | None) -> None:
        """The engine has let the network go; `memory` is what is still in use."""
        self._about.memory = memory
        self._absence = "gone"
        self._bring_back()

    def _bring_back(self) -> None:
        """Load the network again, if it has gone and somebody wants it."""
        if self._absence == "gone" and self._is_wanted_back and self._life.state == "loading":
            self._absence = ""
            self._metrics.count("reloads")
            self._engine.start()

    @property
    def _is_on_gpu(self) -> bool:
        return self._about.loaded is not None and self._about.loaded.device.name == "gpu"
