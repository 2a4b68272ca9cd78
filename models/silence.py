"""Long silence without arithmetic, and with the same bits.

A network that is fed nothing is a machine of finitely many states driven by its biases alone: membranes decay and are
set back to exactly zero, so that sooner or later all of them are what they were some steps before, bit for bit. From
then on the steps repeat, and their results can be taken from the round before. Nothing is assumed about when, or
whether, this happens: the membranes themselves are compared. (The bundled network comes back after 16 steps.)
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .detector import State
from .runtimes import Engine

__all__ = ["SilenceReplay"]

_FIRST_SNAPSHOT = 8
"""Silent steps before anything is looked at: a pause between two events costs nothing."""

_MOST_BYTES = 1 << 28
"""Memory that the states of one round may take; a longer round is computed every time."""


class _Moment(NamedTuple):
    """What a silent step left."""

    logits: tuple[Tensor, ...]
    state: State


class SilenceReplay:
    """Steps of an engine, where those of a long silence are replayed.

    The round is found as Brent finds one: a single snapshot is compared with every later state, and is renewed after
    8, 16, 32, ... silent steps (Brent, An improved Monte Carlo factorization algorithm, 1980, section 3).

    Parameters
    ----------
    engine : Engine
        Runs the steps; nobody else may.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._place = 0
        self._forget()

    @property
    def is_replaying(self) -> bool:
        """Whether silent steps are answered from memory."""
        return self._length > 0 and len(self._round) == self._length

    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of one step by scale, as the engine would."""
        if counts.numpy().any():
            self.wake()
            return self._engine.step(counts)
        if self.is_replaying:
            moment = self._round[self._place]
            self._place = (self._place + 1) % self._length
            return moment.logits
        logits = self._engine.step(counts)
        self._look(logits)
        return logits

    @torch.inference_mode()
    def wake(self) -> None:
        """Bring the engine to where the replay is, and look for silence anew."""
        state = self._engine.state
        if self.is_replaying and self._place and state is not None:
            for membranes, kept in zip(state, self._round[self._place - 1].state, strict=True):
                membranes.copy_(kept)
        self._forget()

    def _forget(self) -> None:
        self._num_silent = 0
        self._snapshot: State = ()
        self._taken_at = 0
        self._length = 0
        self._round: list[_Moment] = []
        self._place = 0

    def _look(self, logits: tuple[Tensor, ...]) -> None:
        state = self._engine.state
        self._num_silent += 1
        if state is None or self._num_silent < _FIRST_SNAPSHOT:
            return
        if self._length:
            self._round.append(_Moment(logits, _copy(state)))
        elif self._snapshot and self._is_snapshot(state):
            length = self._num_silent - self._taken_at
            self._length = length if length * sum(v.nbytes for v in state) <= _MOST_BYTES else 0
        elif self._num_silent & (self._num_silent - 1) == 0:
            self._snapshot, self._taken_at = _copy(state), self._num_silent

    def _is_snapshot(self, state: State) -> bool:
        # The last layers settle last, and are the smallest.
        return all(torch.equal(now, then) for now, then in zip(reversed(state), reversed(self._snapshot), strict=True))


def _copy(state: State) -> State:
    return tuple(v.clone() for v in state)
