import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.filters import FilteredRecording, parse_filter
from eventdet.formats import EVT2, EVT3, FORMATS, Decoder, open_recording, recording_of_batches, transcode, write_dat
from eventdet.formats.transcode import TriggerQueue, write_events
from eventdet.geometry import GEN1, SensorSize
from eventdet.triggers import Triggers

from .reference import random_events, rows
from .test_decoder import evt2_words, evt3_words

EVT2_HEADER = b"% evt 2.0\n% format EVT2;height=240;width=304\n% end\n"
EVT3_HEADER = b"% evt 3.0\n% format EVT3;height=240;width=304\n% end\n"


def trigger_rows(triggers: Triggers) -> list[tuple[int, int, int]]:
    return list(zip(triggers.t.tolist(), triggers.channel.tolist(), triggers.value.tolist(), strict=True))


def test_evt2_triggers_are_a_stream_of_their_own(tmp_path: Path) -> None:
    # The first comes before any TIME_HIGH. TIME_HIGH 2 is 128 us; low bits 5 and 9; channels 0 and 31.
    words = [0xA << 28 | 1, 0x8 << 28 | 2, 0xA << 28 | 5 << 22 | 1, 0x0, 0xA << 28 | 9 << 22 | 31 << 8]
    (tmp_path / "a.raw").write_bytes(EVT2_HEADER + np.array(words, "<u4").tobytes())
    recording = open_recording(tmp_path / "a.raw")
    assert trigger_rows(recording.triggers()) == [(133, 0, 1), (137, 31, 0)]
    # To ask for triggers is not to read the events.
    assert recording.report.num_events == 0
    assert len(recording.slice(0, 1000)) == 1
    assert recording.report.trigger_words == 3


def test_evt3_triggers_have_the_stamp_in_force(tmp_path: Path) -> None:
    # Rising on channel 1 at 4096 + 16, falling on channel 15 after a step back to 4096 + 10.
    words = [0xA101, 0x8001, 0x6010, 0xA101, 0x2000, 0x600A, 0xAF00]
    (tmp_path / "a.raw").write_bytes(EVT3_HEADER + np.array(words, "<u2").tobytes())
    assert trigger_rows(open_recording(tmp_path / "a.raw").triggers()) == [(4112, 1, 1), (4106, 15, 0)]


def test_triggers_come_in_the_pass_that_reads_the_events(tmp_path: Path) -> None:
    words = [0x8 << 28 | 2, 0x0, 0xA << 28 | 5 << 22 | 1, 0x0, 0xA << 28 | 9 << 22 | 31 << 8, 0x0]
    (tmp_path / "a.raw").write_bytes(EVT2_HEADER + np.array(words, "<u4").tobytes())
    recording, found = open_recording(tmp_path / "a.raw"), list[Triggers]()
    assert sum(map(len, recording.chunks(1, on_triggers=found.append))) == 3
    assert trigger_rows(Triggers.concatenate(found)) == [(133, 0, 1), (137, 31, 0)]
    assert recording.report.trigger_words == 2
    passed = FilteredRecording(recording, [parse_filter("polarity:keep=on")])
    found.clear()
    assert list(passed.chunks(on_triggers=found.append)) == []
    assert len(Triggers.concatenate(found)) == 2


def test_events_from_a_function_bring_the_triggers_of_another(tmp_path: Path) -> None:
    triggers = Triggers(np.array([7]), np.array([1], np.uint8), np.array([0], np.uint8))
    events = Events.from_columns(t=[5], x=[1], y=[1], p=[0])
    recording = recording_of_batches("memory", lambda: [events], GEN1, format="memory", triggers=lambda: triggers)
    found: list[Triggers] = []
    assert len(list(recording.chunks(on_triggers=found.append))) == 1
    assert trigger_rows(found[0]) == trigger_rows(recording.triggers()) == [(7, 1, 0)]


def test_a_format_without_triggers_has_none(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", Events.empty(), GEN1)
    assert len(open_recording(tmp_path / "a.dat").triggers()) == 0


def evt2_reference(words: list[int]) -> list[tuple[int, int, int]]:
    found, high, epoch = [], -1, 0
    for word in words:
        kind, value = word >> 28, word & (2**28 - 1)
        if kind == 8:
            if high >= value + 2**27:
                epoch += 1
            elif value >= high + 2**27 and epoch > 0:
                epoch -= 1
            high = value
        elif kind == 10 and high >= 0:
            found.append((epoch * 2**34 + high * 64 + (word >> 22) % 64, (word >> 8) % 32, word % 2))
    return found


def evt3_reference(words: list[int]) -> list[tuple[int, int, int]]:
    found, high, low, loop = [], -1, 0, 0
    for word in words:
        kind, value = word >> 12, word % 2**12
        if kind == 6:
            low = value
        elif kind == 8 and value != high:
            if high >= value + 2048:
                loop += 1
            elif value >= high + 4080 and loop > 0:
                loop -= 1
            high, low = value, 0
        elif kind == 10 and high >= 0:
            found.append(((loop * 4096 + high) * 4096 + low, value >> 8, value % 2))
    return found


def found_in_chunks(decoder_words: "np.ndarray[tuple[int], np.dtype[np.unsignedinteger]]", chunk: int) -> list[object]:
    encoding = EVT2 if decoder_words.dtype == np.uint32 else EVT3
    found: list[Triggers] = []
    decoder = Decoder(encoding, SensorSize(20, 40), on_triggers=found.append)
    for _ in decoder.iter_events(decoder_words, num_events=chunk):
        pass
    return list(trigger_rows(Triggers.concatenate(found)))


@given(evt2_words, st.integers(1, 20))
def test_evt2_triggers_agree_with_reference_however_cut(words: list[int], chunk: int) -> None:
    assert found_in_chunks(np.array(words, np.uint32), chunk) == evt2_reference(words)


@given(evt3_words, st.integers(1, 20))
def test_evt3_triggers_agree_with_reference_however_cut(words: list[int], chunk: int) -> None:
    assert found_in_chunks(np.array(words, np.uint16), chunk) == evt3_reference(words)


def test_triggers_check_their_columns() -> None:
    with pytest.raises(OptionError, match=r"triggers.value must be uint8 of shape \(2,\), got uint8 \(3,\)"):
        Triggers(np.zeros(2, np.int64), np.zeros(2, np.uint8), np.zeros(3, np.uint8))
    assert len(Triggers.concatenate([])) == 0


WRITERS = {name: known.write for name, known in FORMATS.items() if known.write is not None and known.keeps_triggers}
every_raw = pytest.mark.parametrize("name", WRITERS)


def triggers_at(t: list[int], channel: int = 3) -> Triggers:
    return Triggers(np.array(t, np.int64), np.full(len(t), channel, np.uint8), np.arange(len(t), dtype=np.uint8) % 2)


@every_raw
@given(
    stamps=st.lists(st.integers(0, 1 << 26), max_size=20).map(sorted),
    edges=st.lists(st.tuples(st.integers(0, 1 << 26), st.integers(0, 15), st.integers(0, 1)), max_size=8),
    data=st.data(),
)
@settings(max_examples=40)
def test_what_is_written_with_triggers_is_read_again(
    name: str, stamps: list[int], edges: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    # Half of the triggers at the stamp of an event.
    edges = [(t if i % 2 or not stamps else stamps[t % len(stamps)], c, v) for i, (t, c, v) in enumerate(edges)]
    edges.sort(key=lambda edge: edge[0])
    zeros = [0] * len(stamps)
    events = Events.from_columns(t=stamps, x=zeros, y=zeros, p=zeros)
    cut = data.draw(st.integers(0, len(stamps)))
    t, channel, value = zip(*edges, strict=True) if edges else ((), (), ())
    given_triggers = Triggers(np.array(t, np.int64), np.array(channel, np.uint8), np.array(value, np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.raw"
        WRITERS[name](path, iter([events[:cut], events[cut:]]), GEN1, triggers=[given_triggers])
        # Strict: a time word in the wrong place would be a step back.
        back = open_recording(path, policy="strict")
        assert back.slice(0, 1 << 27).t.tolist() == stamps
        assert trigger_rows(back.triggers()) == edges


@every_raw
def test_triggers_of_a_part_go_from_file_to_file(tmp_path: Path, name: str) -> None:
    events = random_events(3000)
    first, stop = int(events.t[500]), int(events.t[2000])
    stamps = [first - 1, first, first + 7, int(events.t[1000]), stop - 1, stop, int(events.t[-1]) + 90]
    WRITERS["evt2"](tmp_path / "in.raw", events, GEN1, triggers=[triggers_at(stamps)])
    whole = transcode(open_recording(tmp_path / "in.raw"), tmp_path / "all.raw", encoding=name)
    assert open_recording(tmp_path / "all.raw").triggers().t.tolist() == stamps
    part = transcode(
        open_recording(tmp_path / "in.raw"), tmp_path / "part.raw", encoding=name,
        start_us=first, stop_us=stop, from_zero=True,
    )  # fmt: skip
    back = open_recording(tmp_path / "part.raw", policy="strict")
    assert back.triggers().t.tolist() == [t - first for t in stamps[1:5]]
    kept = events.between(first, stop)
    assert rows(back.slice(0, 10**8)) == rows(Events(kept.t - first, kept.x, kept.y, kept.p))
    assert (whole.num_triggers_left_out, part.num_triggers_left_out, whole.repairs) == (0, 0, {})


def test_triggers_from_memory_are_written_or_counted(tmp_path: Path) -> None:
    events = Events.from_columns(t=[50, 90], x=[1, 1], y=[1, 1], p=[0, 1])
    recording = recording_of_batches(
        "memory", lambda: [events], GEN1, format="memory", triggers=lambda: triggers_at([20, 70])
    )
    assert transcode(recording, tmp_path / "a.dat").num_triggers_left_out == 2
    assert transcode(recording, tmp_path / "a.raw").num_triggers_left_out == 0
    assert open_recording(tmp_path / "a.raw").triggers().t.tolist() == [20, 70]
    # What lies before the first event would be before zero.
    assert transcode(recording, tmp_path / "b.raw", from_zero=True).num_triggers_left_out == 1
    assert open_recording(tmp_path / "b.raw").triggers().t.tolist() == [20]


def test_a_trigger_behind_the_events_after_it_is_raised_and_counted(tmp_path: Path) -> None:
    # TIME_HIGH 1 and 2, an event in each; then TIME_HIGH 1 again with a trigger at 64 + 9.
    words = np.array([0x8 << 28 | 1, 0x0, 0x8 << 28 | 2, 0x0, 0x8 << 28 | 1, 0xA << 28 | 9 << 22], "<u4")
    (tmp_path / "a.raw").write_bytes(EVT2_HEADER + words.tobytes())
    recording, queue = open_recording(tmp_path / "a.raw"), TriggerQueue()
    batches = recording.chunks(1, on_triggers=queue.put)
    summary = write_events(recording, batches, tmp_path / "b.raw", encoding="evt2", triggers=queue)
    assert summary.repairs == {"triggers_clamped": 1}
    assert open_recording(tmp_path / "b.raw").slice(0, 1000).t.tolist() == [64, 128]
    assert open_recording(tmp_path / "b.raw").triggers().t.tolist() == [128]


def test_triggers_that_words_cannot_hold_raise(tmp_path: Path) -> None:
    for wrong in (triggers_at([-1]), triggers_at([5], channel=16)):
        with pytest.raises(OptionError, match=r"triggers must be from 0 us on, on channels below 16"):
            WRITERS["evt3"](tmp_path / "a.raw", Events.empty(), GEN1, triggers=[wrong])
    WRITERS["evt21"](tmp_path / "a.raw", Events.empty(), GEN1, triggers=[triggers_at([5], channel=31)])
    assert trigger_rows(open_recording(tmp_path / "a.raw").triggers()) == [(5, 31, 0)]
