"""The Prophesee box array as a sink."""

from pathlib import Path

import numpy as np
import pytest

from eventdet.sinks import StreamHeader, WindowResult, open_sink


def test_npy_has_the_newer_layout(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    target = tmp_path / "boxes.npy"
    with open_sink(str(target), header=header) as sink:
        for result in results:
            sink.write(result)
    array = np.load(target)
    assert array.dtype.itemsize == 40
    assert array["t"].tolist() == [50_000, 50_000, 100_000, 100_000, 200_000, 200_000, 250_000, 250_000]
    np.testing.assert_allclose(array["class_confidence"][:2], [0.91234, 0.5], rtol=1e-6)


def test_npy_is_written_after_an_exception(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    target = tmp_path / "boxes.npy"
    with pytest.raises(KeyboardInterrupt):
        _write_then_stop(str(target), header, results[0])
    assert len(np.load(target)) == 2


def _write_then_stop(target: str, header: StreamHeader, result: WindowResult) -> None:
    with open_sink(target, header=header) as sink:
        sink.write(result)
        raise KeyboardInterrupt
