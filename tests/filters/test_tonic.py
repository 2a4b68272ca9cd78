"""``tonic:`` among the filters: parsed like them, refused where it would do harm."""

from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.filters import TonicTransform, parse_filter, with_filters
from eventdet.formats import open_recording, write_dat
from eventdet.geometry import GEN1, SensorSize

transforms = pytest.importorskip("tonic.transforms")

SIZE = SensorSize(30, 34)
# Three neighbours within 10 us, and one alone.
EVENTS = Events.from_columns(t=[1_000, 1_005, 1_010, 1_500], x=[5, 6, 7, 20], y=[5, 5, 5, 20], p=[1, 0, 1, 0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tonic:MergePolarities", TonicTransform("MergePolarities")),
        ("tonic:Denoise,filter_time=10", TonicTransform("Denoise", (("filter_time", 10.0),))),
        ("tonic:UniformNoise,n=3", TonicTransform("UniformNoise", (("n", 3),))),
        (
            "tonic:TimeJitter,std=2.5,clip_negative=true",
            TonicTransform("TimeJitter", (("std", 2.5), ("clip_negative", True))),
        ),
    ],
)
def test_text_gives_the_transform_with_numbers_of_its_types(text: str, expected: TonicTransform) -> None:
    parsed = parse_filter(text)
    assert parsed == expected
    assert repr(parsed) == repr(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tonic", "transform of tonic must be one of CenterCrop"),
        ("tonic:Blur", "got 'Blur'"),
        ("tonic:ToFrame,n_time_bins=3", "got 'ToFrame'"),
        ("tonic:Denoise", "needs filter_time"),
        ("tonic:Denoise,time=1", "takes filter_time=…, got 'time=1'"),
        ("tonic:Denoise,filter_time=soon", "must be a number"),
        ("tonic:RandomCrop", "needs target_size"),
    ],
)
def test_text_that_names_no_transform_of_events_raises(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_filter(text)


def test_transform_does_to_a_batch_what_tonic_does() -> None:
    passed = parse_filter("tonic:Denoise,filter_time=10").start(SIZE)(EVENTS)
    assert passed.x.tolist() == [6, 7]
    assert EVENTS.x.tolist() == [5, 6, 7, 20]


def test_size_of_the_sensor_is_given_to_the_transform() -> None:
    flipped = parse_filter("tonic:RandomFlipLR,p=1").start(SIZE)(EVENTS)
    assert flipped.x.tolist() == [28, 27, 26, 13]


def test_batch_without_events_passes_where_tonic_raises() -> None:
    assert len(parse_filter("tonic:Denoise,filter_time=10").start(SIZE)(Events.empty())) == 0


def test_transform_that_forgets_the_clock_between_batches_is_refused() -> None:
    run = parse_filter("tonic:TimeAlignment").start(SIZE)
    assert run(EVENTS[2:]).t.tolist() == [0, 490]
    with pytest.raises(OptionError, match="TimeAlignment steps back from 490 us to 0 us"):
        run(EVENTS)


def test_fault_within_tonic_is_told_in_one_line() -> None:
    with pytest.raises(OptionError, match=r"^tonic:DropEvent: \w+"):
        parse_filter("tonic:DropEvent,p=7").start(SIZE)(EVENTS)


def test_labels_are_not_left_behind_by_events_that_move() -> None:
    boxes = Boxes.from_xywh([[1, 2, 3, 4]])
    with pytest.raises(OptionError, match="moves events away from their labels") as caught:
        parse_filter("tonic:RandomFlipLR").move_boxes(boxes, SIZE)
    assert caught.value.hint == "use filter flip"
    assert len(parse_filter("tonic:RandomFlipLR").move_boxes(Boxes.empty(), SIZE)) == 0
    assert parse_filter("tonic:Denoise,filter_time=1").move_boxes(boxes, SIZE) is boxes


def test_recording_is_seen_through_a_transform(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", EVENTS, GEN1)
    texts = ["tonic:CropTime,min=1005,max=1010", "polarity:keep=on"]
    recording = with_filters(open_recording(tmp_path / "a.dat"), texts)
    assert recording.sensor_size == GEN1
    np.testing.assert_array_equal(recording.slice(0, 2_000).x, [7])
