"""The arrays that a picture is drawn into."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Canvas"]


class Canvas(NamedTuple):
    """What surfaces and background are drawn into; all but `lamps` and `reach` have the shape of the picture."""

    image: NDArray[np.float32]
    """Linear light; what street lamps light only where `lamps` has no pixels."""

    lamps: NDArray[np.float32]
    """What street lamps light: it flickers, and the rest does not. Of shape (0, 0) where none do."""

    through: NDArray[np.float32]
    """Share of a pixel that nothing has covered yet."""

    owner: NDArray[np.int32]
    """Whose each pixel is: the number of an object, 0 for nobody."""

    reach: NDArray[np.int64]
    """Shape (objects + 1,): pixels of each object that lie in the image."""

    def clear(self) -> None:
        """Make all of it open, dark and nobody's."""
        self.through.fill(1.0)
        for layer in (self.image, self.lamps):
            layer.fill(0.0)
        for counts in (self.owner, self.reach):
            counts.fill(0)
