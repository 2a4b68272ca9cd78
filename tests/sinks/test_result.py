"""The values of a stream."""

from dataclasses import replace

import pytest

from eventdet.errors import OptionError
from eventdet.sinks import StreamHeader


@pytest.mark.parametrize("name", ["window_us", "stride_us"])
def test_header_with_an_empty_duration_is_refused(header: StreamHeader, name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} must be > 0, got 0"):
        replace(header, **{name: 0})  # type: ignore[arg-type]  # the field's name is the parameter
