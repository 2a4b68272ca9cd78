import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import GeometryError, OptionError
from eventdet.geometry import GEN1, SensorSize, fit_pixels, resolve_sensor_size

NETWORK = SensorSize(256, 320)
_sides = st.integers(min_value=1, max_value=1500)
_sizes = st.builds(SensorSize, _sides, _sides)


def test_gen1_is_240_rows_of_304_columns() -> None:
    assert (GEN1.height, GEN1.width) == (240, 304)
    assert str(GEN1) == "304x240"


@pytest.mark.parametrize("text", ["304", "304x", "x240", "0x240", "304x-1", "99999x1", "a x b"])
def test_a_size_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(OptionError):
        SensorSize.parse(text)


def test_resolution_order_is_header_camera_given() -> None:
    header, camera, given_size = SensorSize(1, 1), SensorSize(2, 2), SensorSize(3, 3)
    assert resolve_sensor_size("f", header=header, camera=camera, given=given_size) == header
    assert resolve_sensor_size("f", camera=camera, given=given_size) == camera
    assert resolve_sensor_size("f", given=given_size) == given_size
    with pytest.raises(GeometryError, match="f: sensor size is not in the header"):
        resolve_sensor_size("f")


def test_a_sensor_that_fits_is_padded_not_moved() -> None:
    for fit in ("scale", "crop", "none"):
        pixels = fit_pixels(GEN1, NETWORK, fit=fit)
        assert pixels.is_identity
        np.testing.assert_array_equal(pixels.columns, np.arange(304))
        np.testing.assert_array_equal(pixels.rows, np.arange(240))


def test_720p_is_scaled_by_a_quarter_into_the_network() -> None:
    # 1280 / 320 = 4 is tighter than 720 / 256 = 2.8: 720 rows land on 180 of the 256.
    pixels = fit_pixels(SensorSize(720, 1280), NETWORK)
    assert pixels.scale == 0.25
    assert (pixels.columns.max(), pixels.rows.max()) == (319, 179)


def test_720p_cropped_keeps_the_middle() -> None:
    pixels = fit_pixels(SensorSize(720, 1280), NETWORK, fit="crop")
    assert (pixels.offset_x, pixels.offset_y) == (480, 232)
    assert pixels.columns[479] == -1
    assert pixels.columns[480] == 0
    assert pixels.columns[799] == 319
    assert pixels.columns[800] == -1
    assert (pixels.rows >= 0).sum() == 256
    x, y = np.array([0, 480, 480, 800], np.uint16), np.array([300, 300, 0, 300], np.uint16)
    assert pixels.count_cut(x, y) == 3
    assert fit_pixels(SensorSize(720, 1280), NETWORK).count_cut(x, y) == 0


def test_fit_none_of_a_larger_sensor_says_what_to_do() -> None:
    with pytest.raises(OptionError, match="does not fit") as error:
        fit_pixels(SensorSize(720, 1280), NETWORK, fit="none")
    assert "--fit scale" in error.value.hint


@given(_sizes, _sizes, st.sampled_from(["scale", "crop"]))
def test_every_map_stays_inside_the_target(sensor: SensorSize, target: SensorSize, fit: str) -> None:
    pixels = fit_pixels(sensor, target, fit=fit)
    assert pixels.columns.shape == (sensor.width,)
    assert pixels.rows.shape == (sensor.height,)
    assert pixels.columns.min() >= -1
    assert pixels.columns.max() < target.width
    assert pixels.rows.min() >= -1
    assert pixels.rows.max() < target.height
    if fit == "scale":
        assert pixels.columns.min() >= 0
        assert pixels.rows.min() >= 0


@given(_sizes, _sizes, st.sampled_from(["scale", "crop"]))
def test_boxes_come_back_from_the_target(sensor: SensorSize, target: SensorSize, fit: str) -> None:
    pixels = fit_pixels(sensor, target, fit=fit)
    left, top = pixels.offset_x, pixels.offset_y
    box = np.array([[left, top, min(left + 8, sensor.width), min(top + 6, sensor.height)]], np.float32)
    np.testing.assert_allclose(pixels.to_sensor(pixels.to_target(box)), box, rtol=1e-4, atol=1e-3)
