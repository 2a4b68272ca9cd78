"""A camera through its driver. None was at hand: a fake driver serves recorded words in raw USB packets."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eventdet.errors import InputError, MissingExtraError
from eventdet.formats import read_evt3, write_evt3
from eventdet.sources import LiveSource, open_source

from .network import SIZE, assert_same_windows, cut, random_events


class FakeDriver:
    """What is used of the module ``neuromorphic_drivers``."""

    def __init__(self, packets: list[bytes | None], *, name: str = "Prophesee EVK4", serials: str = "0001") -> None:
        self._packets = packets
        self._name = name
        self._serials = serials
        self.is_open = False

    def open(
        self, *, raw: bool, iterator_timeout: float, serial: str | None, iterator_maximum_raw_packets: int
    ) -> "FakeDriver":
        assert raw
        assert iterator_timeout > 0
        assert iterator_maximum_raw_packets > 0
        if serial not in (None, self._serials):
            raise RuntimeError("Device not found")
        self._remaining = iter(self._packets)
        return self

    def __enter__(self) -> "FakeDriver":
        self.is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> tuple[Any, bytes | None]:
        try:
            packet = next(self._remaining)
        except StopIteration:
            raise RuntimeError("Disconnected") from None
        ring = None if packet is None else SimpleNamespace(dropped_packets=3)
        return SimpleNamespace(ring=ring), packet

    def name(self) -> Any:
        return SimpleNamespace(value=self._name)

    def properties(self) -> Any:
        return SimpleNamespace(height=SIZE.height, width=SIZE.width)


def plug_in(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    monkeypatch.setitem(sys.modules, "neuromorphic_drivers", driver)
    return driver


def live(target: str) -> LiveSource:
    source = open_source(target)
    assert isinstance(source, LiveSource)
    return source


@pytest.mark.parametrize("target", ["camera://", "camera://0001"])
def test_windows_of_a_camera_are_those_of_the_words_it_sent(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_evt3(tmp_path / "a.raw", random_events(), SIZE)
    words = (tmp_path / "a.raw").read_bytes().partition(b"% end\n")[2]
    assert words
    # Packets of a size that cuts words, and moments without data.
    packets: list[bytes | None] = [words[start : start + 1023] for start in range(0, len(words), 1023)]
    packets.insert(2, None)
    driver = plug_in(FakeDriver(packets), monkeypatch)
    with live(target) as source:
        assert source.sensor_size == SIZE
        assert_same_windows(source.windows(10_000), cut(read_evt3(tmp_path / "a.raw")[0], 10_000))
    assert (source.format, source.synthetic) == ("evt3", False)
    assert source.link_report.frames == len(packets) - 1
    # As the driver says it.
    assert source.link_report.faults == {"dropped_messages": 3}
    assert not driver.is_open


def test_a_camera_that_is_not_there_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(FakeDriver([]), monkeypatch)
    with live("camera://0002") as source, pytest.raises(InputError, match="camera 0002 cannot be opened: Device"):
        _ = source.sensor_size


def test_a_camera_with_other_words_is_refused_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = plug_in(FakeDriver([], name="iniVation DAVIS 346"), monkeypatch)
    with live("camera://") as source, pytest.raises(InputError, match="DAVIS 346 is not read"):
        _ = source.sensor_size
    assert not driver.is_open


def test_without_a_camera_the_real_driver_gives_an_input_error() -> None:
    drivers = pytest.importorskip("neuromorphic_drivers")
    try:
        found = drivers.list_devices()
    except RuntimeError:
        found = []
    if found:
        pytest.skip("a camera is plugged in")
    with live("camera://") as source, pytest.raises(InputError, match="cannot be opened"):
        _ = source.sensor_size


def test_a_camera_without_its_package_is_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neuromorphic_drivers", None)
    with pytest.raises(MissingExtraError, match="camera"):
        open_source("camera://")
