"""Event files and stores behind one face: what a user gives where a recording is wanted."""

from pathlib import Path

from eventdet.errors import OptionError
from eventdet.formats import ReadPolicy, Recording, is_rosbag_folder, open_recording
from eventdet.formats.columns import recording_of_batches
from eventdet.geometry import SensorSize
from eventdet.preprocessing import open_stored_recording
from eventdet.preprocessing.locations import is_url

__all__ = ["open_file_or_store"]


def open_file_or_store(
    path: str | Path,
    *,
    sensor_size: SensorSize | None = None,
    policy: str | ReadPolicy = "repair",
    reader: str = "eventdet",
) -> Recording:
    """Return the recording in an event file, or in a Zarr store of ``eventdet convert``: `eventdet.open`.

    Opening reads the header alone.

    Parameters
    ----------
    path : str or Path
        A file of any readable format, the folder of a ROS 2 bag, or the folder or URL of a stored recording.
    sensor_size : SensorSize, optional
        Used where a file does not tell its own; a store does.
    policy : str or ReadPolicy
        What happens to dirty input.
    reader : {"eventdet", "expelliarmus"}
        Who decodes the events of a file.

    Raises
    ------
    OptionError
        When the reader does not read such a file, or a store.
    InputError
        When there is nothing to read, or the store has no events.
    FormatError
        When a file is of no readable format, or its header is broken.
    GeometryError
        When a file does not tell its sensor size and none is given.

    Examples
    --------
    >>> recording = eventdet.open("drive_td.dat")  # doctest: +SKIP
    >>> recording.format, recording.sensor_size, recording.duration_us  # doctest: +SKIP
    ('dat', SensorSize(height=240, width=304), 999998)
    >>> events = recording.slice(500_000, 550_000)  # doctest: +SKIP
    >>> for window in recording.windows(50_000):  # doctest: +SKIP
    ...     print(window.t0_us, len(window.events))
    """
    if not is_url(path) and (not Path(path).is_dir() or is_rosbag_folder(path)):
        return open_recording(path, sensor_size=sensor_size, policy=policy, reader=reader)
    if reader != "eventdet":
        raise OptionError(f"{path}: reader {reader} is for event files, got a folder", hint="use reader eventdet")
    stored = open_stored_recording(path)
    return recording_of_batches(
        Path(str(stored.path)),
        stored.chunks,
        stored.sensor_size,
        format="store",
        policy=policy,
        fields={"synthetic": "yes"} if stored.synthetic else {},
        triggers=stored.triggers,
        batches_from=lambda first: stored.chunks(first=first),
    )
