"""Streets and drives."""

import pytest

from eventdet import OptionError, SensorSize
from eventdet.simulation import _columns as column
from eventdet.simulation import make_scene


@pytest.mark.parametrize("duration_us", [0, -5, 3_600_000_001])
def test_a_duration_outside_its_rule_is_refused(duration_us: int) -> None:
    with pytest.raises(OptionError, match="duration_us must be in"):
        make_scene(1, duration_us)


@pytest.mark.parametrize("seed", range(8))
def test_the_way_driven_is_the_integral_of_the_speed(seed: int) -> None:
    drive = make_scene(seed, 1_000_000).drive
    steps = 4000
    speeds = [drive.speed_at((k + 0.5) * 8.0 / steps) for k in range(steps)]
    # The wave that stands for the sine has a slope within 6 % of the cosine's.
    assert drive.place_m(8.0) == pytest.approx(sum(speeds) * 8.0 / steps, abs=0.01 + 0.07 * drive.speed_m_s)
    assert min(speeds) >= 0


@pytest.mark.parametrize("seed", range(8))
def test_the_camera_is_slowest_at_its_stops(seed: int) -> None:
    drive = make_scene(seed, 1_000_000).drive
    stops = drive.stops(20.0)
    assert any(0 <= time_s <= 20.0 for time_s, _ in stops)
    for time_s, place_m in stops:
        assert drive.speed_at(time_s) == pytest.approx(drive.speed_m_s * (1 - drive.depth), abs=1e-6)
        assert place_m == drive.place_m(time_s)


@pytest.mark.parametrize("seed", range(8))
def test_steps_get_shorter_with_speed_and_stay_in_their_limits(seed: int) -> None:
    scene = make_scene(seed, 30_000_000)
    steps = {t_us: scene.step_us(t_us) for t_us in range(0, 30_000_000, 500_000)}
    assert all(1_000 <= step <= 8_000 for step in steps.values())
    fastest = max(steps, key=lambda t_us: scene.drive.speed_at(t_us / 1e6))
    assert steps[fastest] == min(steps.values())


def test_surfaces_before_the_camera_come_with_positive_depth() -> None:
    scene = make_scene(4, 5_000_000)
    for t_us in range(0, 5_000_000, 250_000):
        surfaces = scene.view(t_us).surfaces
        lateral = surfaces[:, column.LATERAL] == 1.0
        assert (surfaces[~lateral, column.PLANE] >= column.NEAREST).all()
        assert (surfaces[lateral, column.START] >= column.NEAREST).all()
        assert (surfaces[lateral, column.PLANE] != 0.0).all()
        assert (surfaces[:, column.STOP] > surfaces[:, column.START]).all()


def test_another_size_moves_the_camera_centre_with_it() -> None:
    camera = make_scene(1, 1_000_000, size=SensorSize(120, 160)).view(0).camera
    assert camera[column.CENTER_X] == pytest.approx(80, abs=20)
    assert camera[column.CENTER_Y] == pytest.approx(52, abs=15)
