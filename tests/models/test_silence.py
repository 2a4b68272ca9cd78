import pytest
import torch
from torch import Tensor

from eventdet.models import StreamingDetector, build_detector, load_detector
from eventdet.models.silence import SilenceReplay


class CountingEngine:
    """A counter of `period` values that silence moves on, and events set back, as an engine."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.state: tuple[Tensor, ...] | None = None
        self.num_steps = 0

    def reset(self) -> None:
        self.state = None

    def clip(self, counts: Tensor) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        self.num_steps += 1
        before = torch.zeros(2) if self.state is None else self.state[0]
        after = (before + 1) % self.period if not counts.any() else 100 + before
        if self.state is None:
            self.state = (after,)
        else:
            self.state[0].copy_(after)
        return (after.clone(),)


@pytest.mark.parametrize("period", [1, 2, 3, 7, 16])
def test_a_round_is_found_and_its_steps_are_not_computed_again(period: int) -> None:
    plain, engine = CountingEngine(period), CountingEngine(period)
    replay = SilenceReplay(engine)
    silence = torch.zeros(1, dtype=torch.uint8)
    for _ in range(200):
        assert torch.equal(replay.step(silence)[0], plain.step(silence)[0])
    assert replay.is_replaying
    assert engine.num_steps < 8 * 16 + period


@pytest.mark.parametrize("num_silent", [1, 9, 60, 61, 75, 200])
def test_events_after_a_silence_find_the_state_that_it_left(num_silent: int) -> None:
    plain, replay = CountingEngine(7), SilenceReplay(CountingEngine(7))
    silence, events = torch.zeros(1, dtype=torch.uint8), torch.ones(1, dtype=torch.uint8)
    for counts in [events, *[silence] * num_silent, events, *[silence] * num_silent, events]:
        assert torch.equal(replay.step(counts)[0], plain.step(counts)[0])


def test_a_round_too_long_for_memory_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventdet.models.silence._MOST_BYTES", 40)
    engine = CountingEngine(7)
    replay = SilenceReplay(engine)
    for _ in range(100):
        replay.step(torch.zeros(1, dtype=torch.uint8))
    assert (replay.is_replaying, engine.num_steps) == (False, 100)


def test_a_detector_gives_the_bits_of_steps_that_are_all_computed() -> None:
    stream, plain = (StreamingDetector(load_detector("ems-res10-plain"), dtype="float32") for _ in range(2))
    size = (64, 96)
    events = torch.randint(0, 3, (1, 2, *size), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    silence = torch.zeros_like(events)
    was_replaying = []
    for counts in [events, *[silence] * 150, events, events]:
        found = stream.step(counts)
        was_replaying.append(stream._steps.is_replaying)
        # The state is asked for, which ends a replay before it begins.
        expected = plain.step(counts)
        assert plain.state is not None
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert was_replaying[150]
    left, expected_left = stream.state, plain.state
    assert left is not None
    assert expected_left is not None
    assert all(torch.equal(one, other) for one, other in zip(left, expected_left, strict=True))


def test_rows_that_begin_anew_are_streams_of_their_own() -> None:
    torch.manual_seed(3)
    network = build_detector("ems-res10", input_size=(64, 96), readout_steps=3).train()
    for _ in range(10):
        network(torch.randint(0, 3, (3, 2, 2, 64, 96), dtype=torch.uint8))
    both, alone = (StreamingDetector(network.eval(), dtype="float32") for _ in range(2))
    windows = torch.randint(0, 3, (6, 2, 2, 64, 96), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    together = []
    for number, counts in enumerate(windows):
        if number == 2:
            both.reset([1])
        together.append(both.step(counts))
    for row in (0, 1):
        for number in range(6):
            if number == 0 or (row == 1 and number == 2):
                alone.reset()
            expected = alone.step(windows[number, row : row + 1])
            for scale, one in zip(together[number], expected, strict=True):
                torch.testing.assert_close(scale[row : row + 1], one, rtol=0, atol=1e-5)
