"""A detector as one object: made once, and given sources."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from eventdet.errors import OptionError
from eventdet.formats import parse_windows
from eventdet.models import StreamingDetector, load_detector
from eventdet.sinks import WindowResult
from eventdet.sources import EventSource, open_source

from .loop import Streamer
from .options import StreamOptions
from .together import StreamGroup

__all__ = ["Detector", "with_windows"]


class Detector:
    """A bundled or saved detector, ready to stream.

    Parameters
    ----------
    model : str or Path
        Name of bundled weights, or path of a ``.safetensors`` file.
    dtype : str
        Arithmetic: ``auto``, ``float32`` or ``bfloat16``.
    runtime : str
        What computes the steps: ``torch``, ``openvino``, ``onnxruntime`` or ``auto``.
    options : StreamOptions, optional
        What holds for every stream unless it says otherwise.

    Raises
    ------
    InputError, OptionError, MissingExtraError
        When the weights cannot be read, or not be run that way.

    Examples
    --------
    >>> import eventdet
    >>> detector = eventdet.Detector("ems-res10-plain")
    >>> stream = detector.stream("synthetic://?seed=3&seconds=0.2", window="50ms")
    >>> [result.t_us for result in stream]
    [50000, 100000, 150000, 200000]
    """

    def __init__(
        self,
        model: str | Path = "ems-res10-plain",
        *,
        dtype: str = "auto",
        runtime: str = "torch",
        options: StreamOptions | None = None,
    ) -> None:
        self._model = str(model)
        self._options = options or StreamOptions()
        self._detector = StreamingDetector(load_detector(self._model), dtype=dtype, runtime=runtime)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class id."""
        return self._detector.config.class_names

    def stream(
        self, source: EventSource | str | Path, window: str | None = None, stride: str | None = None, **options: object
    ) -> Streamer:
        """Return the results of a source, to be iterated over with ``for`` or ``async for``.

        Parameters
        ----------
        source : EventSource, str or Path
            What `open_source` returns or takes.
        window, stride : str, optional
            Like ``50ms``, ``20000ev`` or ``50ms,20000ev``; the window the model was trained on, and the window.
        **options
            Any field of `StreamOptions`.

        Returns
        -------
        Streamer
            Leaving the loop, or its `close`, releases everything. One stream at a time has the detector.

        Raises
        ------
        OptionError, InputError
            When an option is outside its rule, or the source cannot be read.
        """
        settings = self._settings(window, stride, options)
        return Streamer(_opened(source), self._detector, settings, model=self._model)

    def stream_many(
        self,
        sources: Sequence[EventSource | str | Path],
        window: str | None = None,
        stride: str | None = None,
        **options: object,
    ) -> Iterator[tuple[int, WindowResult]]:
        """Yield the results of several sources in step, one batched step a round, as pairs (number of source, result).

        The parameters are those of `stream`; see `StreamGroup`.
        """
        group = StreamGroup(
            [_opened(source) for source in sources], self._detector, self._settings(window, stride, options)
        )
        return iter(group)

    def _settings(self, window: str | None, stride: str | None, options: dict[str, object]) -> StreamOptions:
        try:
            settings = replace(self._options, **options)  # type: ignore[arg-type]  # its fields check their values
        except TypeError as error:
            raise OptionError(f"options must be fields of StreamOptions, got {', '.join(options)}") from error
        return with_windows(settings, window, stride)


def with_windows(
    options: StreamOptions, window: str | None, stride: str | None, *, names: tuple[str, str] = ("window", "stride")
) -> StreamOptions:
    """Return options with the windows that two texts ask for.

    Raises
    ------
    OptionError
        When a text is none, or the two do not go together.
    """
    if window is None:
        if stride is None:
            return options
        grid = parse_windows(stride, names=(names[1], names[1]))
        return replace(options, stride_us=grid.length_us, stride_events=grid.num_events)
    grid = parse_windows(window, stride, names=names)
    return replace(
        options,
        window_us=grid.length_us,
        stride_us=grid.stride_us,
        window_events=grid.num_events,
        stride_events=grid.stride_events,
    )


def _opened(source: EventSource | str | Path) -> EventSource:
    return open_source(str(source)) if isinstance(source, str | Path) else source
