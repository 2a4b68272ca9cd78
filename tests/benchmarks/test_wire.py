"""The benchmark of the network loses nothing and prints every line."""

from eventdet.benchmarks.wire import benchmark_wire


def test_rows_compare_the_stream_with_its_parts_and_limits() -> None:
    rows = benchmark_wire(num_events=2_000_000, repeats=1)
    assert [row.name for row in rows] == [
        "TCP, serve to windows",
        "TCP, plain bytes",
        "frames from events",
        "events from frames",
        "copy of the bytes",
    ]
    assert all(row.value > 0 for row in rows)
    assert [row.ratio is None for row in rows] == [True, False, False, False, False]
