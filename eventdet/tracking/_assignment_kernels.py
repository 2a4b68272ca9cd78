"""Numba kernel of the assignment problem."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["assign_rows"]


@njit(cache=True, nogil=True)
def assign_rows(cost: NDArray[np.float64], column_of_row: NDArray[np.int64]) -> None:
    """Fill `column_of_row` with the columns that together cost least, a different one for each row.

    One row after another is added by the shortest augmenting path, in costs reduced by a potential of each row and
    column (Jonker and Volgenant, 1987; Crouse, 2016). There must be as many columns as rows, or more, and
    every cost must be finite. The time is that of rows² · columns.
    """
    rows, columns = cost.shape
    row_potential, column_potential = np.zeros(rows), np.zeros(columns)
    row_of_column = np.full(columns, -1, np.int64)
    previous = np.empty(columns, np.int64)
    shortest = np.empty(columns)
    is_settled = np.empty(columns, np.bool_)
    column_of_row[:] = -1
    for added in range(rows):
        shortest[:] = np.inf
        previous[:] = -1
        is_settled[:] = False
        row, reached, end = added, 0.0, -1
        while end < 0:
            nearest, least = -1, np.inf
            for column in range(columns):
                if is_settled[column]:
                    continue
                length = reached + cost[row, column] - row_potential[row] - column_potential[column]
                if length < shortest[column]:
                    shortest[column] = length
                    previous[column] = row
                # Of equal columns the first free one, so that the result does not hang on where a path has been.
                is_free = row_of_column[column] < 0
                if shortest[column] < least or (shortest[column] == least and is_free and row_of_column[nearest] >= 0):
                    nearest, least = column, shortest[column]
            reached = least
            is_settled[nearest] = True
            row = row_of_column[nearest]
            if row < 0:
                end = nearest
        row_potential[added] += reached
        for column in range(columns):
            if is_settled[column] and column != end:
                row_potential[row_of_column[column]] += reached - shortest[column]
                column_potential[column] -= reached - shortest[column]
        while end >= 0:
            row = previous[end]
            row_of_column[end] = row
            end, column_of_row[row] = column_of_row[row], end
