"""The page in a real browser: Debian's Chromium, driven by playwright."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from eventdet import Boxes, Events, SensorSize
from eventdet.drawing.palettes import PALETTES
from eventdet.sinks import StreamHeader, StreamTotals, WindowResult, open_sink
from eventdet.sinks.base import Sink

_CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.skipif(_CHROMIUM is None, reason="Debian's chromium is not installed")

SIZE = SensorSize(12, 16)
HEADER = StreamHeader(
    "drive_td.dat", "dat", SIZE, ("car", "pedestrian"), 50_000, 50_000, "ems", "ab" * 32, "keep",
    synthetic=True, eventdet_version="0",
)  # fmt: skip
EVENTS = Events.from_columns(t=[0, 1, 2], x=[1, 15, 15], y=[0, 11, 11], p=[1, 1, 0])
BOXES = Boxes.from_xywh([[2, 2, 8, 6], [2, 2, 7, 6]], score=[0.9, 0.3], class_id=[0, 1], track_id=[4, -1], t=50_000)


def _window(seq: int) -> WindowResult:
    return WindowResult(seq, 50_000 * seq, 50_000 * (seq + 1), len(EVENTS), BOXES, {"total": 7.5}, events=EVENTS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        # Chromium has no sandbox for root; nothing but our own page is opened.
        running = driver.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    running = open_sink("web://127.0.0.1:0", header=HEADER)
    yield running
    running.close()


@pytest.fixture
def page(browser: Browser, sink: Sink) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1000, "height": 800})
    complaints: list[str] = []

    # Chromium warns of the reading back that these tests do; what the page itself does wrong is an error.
    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(sink.greeting.removeprefix("watch at "))
    expect(opened.locator("#state")).to_have_text("waiting for events")
    yield opened
    opened.close()
    assert complaints == []


def _colour(page: Page, x: int, y: int) -> tuple[int, ...]:
    script = "([x, y]) => Array.from(view.context.getImageData(x, y, 1, 1).data).slice(0, 3)"
    return tuple(page.evaluate(script, [x, y]))


def test_events_boxes_and_facts_are_shown(page: Page, sink: Sink) -> None:
    expect(page.locator("#synthetic")).to_be_visible()
    sink.write(_window(0))
    expect(page.locator("#state")).to_have_text("live")
    dark = PALETTES["dark"]
    # The last event of pixel (15, 11) was OFF.
    assert [_colour(page, 1, 0), _colour(page, 15, 11), _colour(page, 8, 8)] == [dark.on, dark.off, dark.background]
    expect(page.locator("#facts")).to_contain_text("0.050 s")
    page.select_option("#palette", "gray")
    assert _colour(page, 8, 8) == PALETTES["gray"].background
    with_boxes = _amount_drawn(page)
    page.uncheck("#tags")
    without_names = _amount_drawn(page)
    page.locator("#score").fill("0.5")
    one_box = _amount_drawn(page)
    page.uncheck("#boxes")
    assert with_boxes > without_names > one_box > _amount_drawn(page) == 0


def _amount_drawn(page: Page) -> int:
    script = """() => {
        const canvas = document.getElementById("overlay");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let drawn = 0;
        for (let i = 3; i < data.length; i += 4) drawn += data[i] > 0;
        return drawn;
    }"""
    return int(page.evaluate(script))


def test_a_paused_page_keeps_its_picture_until_it_goes_on(page: Page, sink: Sink) -> None:
    sink.write(_window(0))
    expect(page.locator("#facts")).to_contain_text("0.050 s")
    page.click("#pause")
    expect(page.locator("#state")).to_have_text("paused")
    sink.write(_window(1))
    # The policy of the page forbids what wait_for_function does; plots go on while it is paused.
    while page.evaluate("view.seq") != 1:
        page.wait_for_timeout(20)
    expect(page.locator("#facts")).to_contain_text("0.050 s")
    page.click("#pause")
    sink.write(_window(2))
    expect(page.locator("#facts")).to_contain_text("0.150 s")


def test_the_end_of_a_stream_is_said(page: Page, sink: Sink) -> None:
    sink.write(_window(0))
    expect(page.locator("#state")).to_have_text("live")
    sink.conclude(StreamTotals(1, 3, 2, 0.05, 0.1))
    expect(page.locator("#state")).to_have_text("ended after 1 windows")
    sink.close()
    expect(page.locator("#state")).to_have_text("ended after 1 windows")


def test_windows_of_a_number_of_events_are_said_to_be_so(browser: Browser) -> None:
    header = replace(HEADER, window_events=4000, stride_events=2000, rules="conf 0.25, windows of any length")
    with open_sink("web://127.0.0.1:0", header=header) as sink:
        opened = browser.new_page()
        opened.goto(sink.greeting.removeprefix("watch at "))
        sink.write(_window(0))
        expect(opened.locator("#facts")).to_contain_text("4,000 events every 2,000 events")
        expect(opened.locator("#rate-now")).to_have_text("0.1 k, at most 0.1 k")
        opened.close()


def test_a_picture_of_any_width_keeps_its_rows(browser: Browser) -> None:
    # 35 pixels are no multiple of four: a page that mistook the packing would shear.
    size = SensorSize(5, 7)
    with open_sink("web://127.0.0.1:0", header=replace(HEADER, sensor_size=size)) as sink:
        opened = browser.new_page()
        opened.goto(sink.greeting.removeprefix("watch at "))
        everywhere = np.arange(5)
        events = Events.from_columns(t=everywhere, x=everywhere, y=everywhere, p=np.ones(5, np.int64))
        sink.write(replace(_window(0), events=events))
        expect(opened.locator("#state")).to_have_text("live")
        on = PALETTES["dark"].on
        assert [[_colour(opened, x, y) == on for x in range(7)] for y in range(5)] == [
            [x == y for x in range(7)] for y in range(5)
        ]
        opened.close()
