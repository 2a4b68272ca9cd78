"""Read and write ``.npy`` data piece by piece, so that an array may be larger than the memory."""

import tokenize
import warnings
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError

__all__ = ["NpyReader", "NpyWriter"]

_LARGEST_HEADER = 10_000
_LARGEST_ROW = 1 << 10
"""Bytes of one event with all its fields; what a header claims beyond it is not believed."""

_HEADER_ERRORS = (
    ValueError, TypeError, SyntaxError, EOFError, OSError, RecursionError, MemoryError, tokenize.TokenError,
)  # fmt: skip
"""The header is a Python literal, which NumPy parses with Python's own tools."""


class NpyReader:
    """One array of a ``.npy`` file, or of a member of a ``.npz`` file, from its start to its end.

    Parameters
    ----------
    file : binary file
        At the start of the array.
    where : str
        Path, for messages.

    Raises
    ------
    FormatError
        When the header is broken, or the array is neither a list nor rows of four numbers.
    """

    def __init__(self, file: IO[bytes], where: str) -> None:
        self._file = file
        self._where = where
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            with warnings.catch_warnings():
                # Headers that Python 2 wrote are read as well as any other.
                warnings.simplefilter("ignore")
                shape, is_fortran, dtype = read(file, max_header_size=_LARGEST_HEADER)
        except _HEADER_ERRORS as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise FormatError(f"{where}: broken .npy header ({reason}), at byte 0", hint="copy it again") from error
        is_list = len(shape) <= 1 or (len(shape) == 2 and shape[1] == 4)
        if dtype.hasobject or not 0 < dtype.itemsize <= _LARGEST_ROW or not is_list or min(shape, default=0) < 0:
            raise FormatError(
                f"{where}: cannot read an array of dtype {dtype} and shape {shape}",
                hint="save events as a structured array, or as rows of four numbers",
            )
        self.shape: tuple[int, ...] = shape
        self.dtype: np.dtype[Any] = dtype
        self._per_row = shape[1] if len(shape) == 2 else 1
        self._is_transposed = is_fortran and self._per_row > 1
        self._start = file.tell()
        self._num_rows = shape[0] if shape else 1
        self._row = 0

    def skip(self, num_rows: int) -> None:
        """Pass over the next rows; of a packed file they are unpacked, of any other not even read."""
        passed = min(num_rows, self._num_rows - self._row)
        self._row += passed
        if not self._is_transposed:
            self._file.seek(passed * self._per_row * self.dtype.itemsize, 1)

    def read(self, num_rows: int) -> NDArray[Any]:
        """Return the next rows, fewer at the end.

        Raises
        ------
        FormatError
            When the data end before the array does.
        """
        wanted = min(num_rows, self._num_rows - self._row)
        if self._is_transposed:
            rows = np.stack([self._read_column(place, wanted) for place in range(self._per_row)], axis=1)
        else:
            values = self._read_numbers(wanted * self._per_row)
            rows = values.reshape(-1, self._per_row) if len(self.shape) == 2 else values
        self._row += wanted
        return rows

    def _read_column(self, place: int, num_rows: int) -> NDArray[Any]:
        """Return the next rows of one column, each of which lies in one piece."""
        self._file.seek(self._start + (place * self._num_rows + self._row) * self.dtype.itemsize)
        return self._read_numbers(num_rows)

    def _read_numbers(self, count: int) -> NDArray[Any]:
        data = self._file.read(count * self.dtype.itemsize)
        if len(data) < count * self.dtype.itemsize:
            left = self._num_rows - self._row
            raise FormatError(f"{self._where}: cut, {left} of its rows are left", hint="copy it again")
        return np.frombuffer(data, self.dtype)


class NpyWriter:
    """Writes rows to a ``.npy`` file whose length is known at the end alone.

    Parameters
    ----------
    file : binary file
        At the start of the array; it is positioned anew at the end.
    dtype : dtype
        Of the rows.
    """

    def __init__(self, file: IO[bytes], dtype: np.dtype[Any]) -> None:
        self._file = file
        self._dtype = dtype
        self._num_rows = 0
        self._write_header()

    def write(self, rows: NDArray[Any]) -> None:
        """Append rows."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).tobytes())
        self._num_rows += len(rows)

    def finish(self) -> None:
        """Put the length into the header, which NumPy leaves room for."""
        self._file.seek(0)
        self._write_header()
        self._file.seek(0, 2)

    def _write_header(self) -> None:
        np.lib.format.write_array_header_1_0(
            self._file,
            {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self._num_rows,)},
        )
