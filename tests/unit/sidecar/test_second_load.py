"""When a network that could not be loaded is loaded again."""

from wilor_sidecar.second_load import FIRST_S, LONGEST_S, SecondLoad

S = 10**9


def test_nothing_is_due_that_was_not_put_off() -> None:
    """However late it is."""
    assert not SecondLoad().is_due(2**62)


def test_it_is_due_once_after_its_pause() -> None:
    """Not a moment before, and not twice."""
    load = SecondLoad()
    assert load.put_off(100 * S) == FIRST_S
    assert [load.is_due(at) for at in (104 * S, 105 * S - 1, 105 * S, 106 * S)] == [False, False, True, False]


def test_pauses_grow_up_to_a_limit() -> None:
    """Each is twice as long; after a success they begin again."""
    load = SecondLoad()
    pauses = [load.put_off(0) for _ in range(10)]
    assert pauses[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert pauses[-2:] == [LONGEST_S, LONGEST_S]
    load.has_succeeded()
    assert load.put_off(0) == FIRST_S


def test_a_pause_of_somebody_elses_choice() -> None:
    """It is kept to, and does not count among those that grow."""
    load = SecondLoad()
    assert load.put_off(0, 600) == 600
    assert not load.is_due(599 * S)
    assert load.is_due(600 * S)
    assert load.put_off(0) == FIRST_S
