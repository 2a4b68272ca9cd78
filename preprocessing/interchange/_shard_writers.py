"""Samples into one ``.npz`` or ``.tar`` file, one after the other; the same samples give the same bytes."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.formats.prophesee_boxes import pack_boxes
from eventdet.preprocessing.representations import Tensor

__all__ = ["SHARD_WRITERS", "Sample", "ShardWriter"]


class Sample(NamedTuple):
    """A window of a recording, and the labels that belong to it."""

    number: int
    """Among all samples of its folder."""

    recording: str
    """Place of the recording in the store, with slashes."""

    synthetic: bool | None
    """Whether it was simulated; None when nobody said."""

    t0_us: int
    """Start of the window."""

    t1_us: int
    """Its end, exclusive."""

    tensor: Tensor
    """What the window holds."""

    boxes: Boxes
    """Labels, maybe none."""


ShardWriter = Callable[[BinaryIO, int], AbstractContextManager[Callable[[Sample], None]]]
"""Takes a file and the number of its samples; gives what takes them, and completes the file when all went well."""


@contextmanager
def npz_writer(file: BinaryIO, num_samples: int) -> Iterator[Callable[[Sample], None]]:
    """Write arrays of all samples, compressed; tensors are written as they come, so that one is in memory at a time."""
    samples: list[Sample] = []
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open(_member("tensors"), "w", force_zip64=True) as tensors:

            def add(sample: Sample) -> None:
                if not samples:
                    _write_header(tensors, sample.tensor.dtype, (num_samples, *sample.tensor.shape))
                tensors.write(np.ascontiguousarray(sample.tensor).data)
                # Not a view of it: that would keep the tensor.
                samples.append(sample._replace(tensor=np.empty(0, sample.tensor.dtype)))

            yield add
        for name, array in _columns(samples).items():
            with archive.open(_member(name), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


@contextmanager
def webdataset_writer(file: BinaryIO, num_samples: int) -> Iterator[Callable[[Sample], None]]:
    """Write members ``<number>.tensor.npy.gz``, ``.boxes.npy`` and ``.json``: webdataset groups them by their number.

    It unpacks what ends in ``.gz``; a tensor of few events takes some percent of its size.
    """
    with tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:

        def add(sample: Sample) -> None:
            about = {name: getattr(sample, name) for name in ("recording", "synthetic", "t0_us", "t1_us")}
            contents = {
                "tensor.npy.gz": gzip.compress(_npy(sample.tensor), 1, mtime=0),
                "boxes.npy": _npy(pack_boxes(sample.boxes)),
                "json": json.dumps(about).encode(),
            }
            for extension, content in contents.items():
                # The defaults of TarInfo name no time, user or group.
                member = tarfile.TarInfo(f"{sample.number:08d}.{extension}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

        yield add


SHARD_WRITERS: dict[str, tuple[str, ShardWriter]] = {
    "npz": (".npz", npz_writer),
    "webdataset": (".tar", webdataset_writer),
}
"""Ending and writer of each layout."""


def _columns(samples: list[Sample]) -> dict[str, NDArray[Any]]:
    names, rows = np.unique([sample.recording for sample in samples], return_inverse=True)
    return {
        "t0_us": np.array([sample.t0_us for sample in samples], np.int64),
        "t1_us": np.array([sample.t1_us for sample in samples], np.int64),
        "recordings": names,
        "recording": rows.astype(np.int64),
        "synthetic": np.array([sample.synthetic is True for sample in samples], np.bool_),
        "boxes": pack_boxes(Boxes.concatenate(sample.boxes for sample in samples)),
        "first_box": np.cumsum([0, *(len(sample.boxes) for sample in samples)], dtype=np.int64),
    }


def _member(name: str) -> zipfile.ZipInfo:
    # Without a date it would be that of today.
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def _write_header(file: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _npy(array: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
    return content.getvalue()
