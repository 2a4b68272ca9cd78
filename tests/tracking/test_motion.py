import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.tracking.motion import Motion, Noise, correct, predict, start

NOISE = Noise(position=0.1, velocity=3.0, acceleration=2.0)
SPANS = st.lists(st.integers(0, 400_000), min_size=1, max_size=6)
FIRST, SECOND = np.array([[10, 20, 50, 40]], np.float32), np.array([[14, 19, 55, 40]], np.float32)


class PlainFilter:
    """The same filter for one box by the textbook's matrices: a state of eight numbers, 8 x 8 covariances."""

    def __init__(self, xyxy: NDArray[np.float32]) -> None:
        z = self._measured(xyxy)
        self.size = float(np.sqrt(z[2] * z[3]))
        self.x = np.concatenate([z, np.zeros(4)])
        self.P = np.diag([(0.1 * self.size) ** 2] * 4 + [(3.0 * self.size) ** 2] * 4)

    @staticmethod
    def _measured(xyxy: NDArray[np.float32]) -> NDArray[np.float64]:
        left, top, right, bottom = xyxy[0].astype(np.float64)
        return np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])

    def predict(self, span_us: int) -> None:
        s, eye = span_us / 1e6, np.eye(4)
        F = np.block([[eye, s * eye], [0 * eye, eye]])
        Q = (2.0 * self.size) ** 2 * np.block([[s**3 / 3 * eye, s**2 / 2 * eye], [s**2 / 2 * eye, s * eye]])
        self.x, self.P = F @ self.x, F @ self.P @ F.T + Q

    def correct(self, xyxy: NDArray[np.float32]) -> None:
        z, H = self._measured(xyxy), np.hstack([np.eye(4), np.zeros((4, 4))])
        self.size = float(np.sqrt(z[2] * z[3]))
        K = self.P @ H.T @ np.linalg.inv(H @ self.P @ H.T + (0.1 * self.size) ** 2 * np.eye(4))
        self.x, self.P = self.x + K @ (z - H @ self.x), (np.eye(8) - K @ H) @ self.P


def _assert_same(motion: Motion, other: Motion) -> None:
    for name in ("position", "velocity", "covariance", "size"):
        np.testing.assert_allclose(getattr(motion, name), getattr(other, name), rtol=1e-9, atol=1e-9)


@given(SPANS)
def test_the_filter_is_that_of_the_textbook(spans: list[int]) -> None:
    motion, plain = start(FIRST, NOISE), PlainFilter(FIRST)
    for number, span in enumerate(spans):
        box = SECOND if number % 2 else FIRST + 3
        motion = correct(predict(motion, span, NOISE), box, NOISE)
        plain.predict(span)
        plain.correct(box)
    np.testing.assert_allclose(np.concatenate([motion.position[0], motion.velocity[0]]), plain.x, atol=1e-6)
    variances = plain.P[0, 0], plain.P[0, 4], plain.P[4, 4]
    np.testing.assert_allclose(motion.covariance[0], variances, rtol=1e-6, atol=1e-9)


@given(SPANS)
def test_a_span_is_predicted_alike_however_it_is_cut(spans: list[int]) -> None:
    moving = correct(predict(start(FIRST, NOISE), 50_000, NOISE), SECOND, NOISE)
    in_parts = moving
    for span in spans:
        in_parts = predict(in_parts, span, NOISE)
    _assert_same(predict(moving, sum(spans), NOISE), in_parts)


def test_a_box_that_moves_evenly_has_its_velocity_in_the_end() -> None:
    motion = start(FIRST, NOISE)
    # Gaps of 10 to 90 ms, at 40 pixels a second to the right and 20 up.
    t_us = 0
    for gap_us in [10_000, 90_000, 35_000, 65_000] * 10:
        t_us += gap_us
        box = FIRST + np.array([40, -20, 40, -20], np.float32) * np.float32(t_us / 1e6)
        motion = correct(predict(motion, gap_us, NOISE), box, NOISE)
    assert motion.velocity[0].tolist() == pytest.approx([40, -20, 0, 0], abs=0.5)


def test_a_side_that_has_shrunk_away_is_one_pixel() -> None:
    shrinking = Motion(*(np.array(column, float) for column in ([[9, 9, 4, 40]], [[0, 0, -90, 0]], [[1, 0, 1]], [20])))
    left, top, right, bottom = predict(shrinking, 1_000_000, NOISE).xyxy[0]
    assert (right - left, bottom - top) == (1, 40)
