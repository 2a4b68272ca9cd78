"""Sensor size by the name of a camera, for headers that give no size."""

from collections.abc import Mapping

from eventdet.geometry import SensorSize

__all__ = ["camera_size"]

_VGA = SensorSize(480, 640)
_HD = SensorSize(720, 1280)

_BY_NAME = {"genx320": SensorSize(320, 320), "gen3": _VGA, "gen4": _HD, "imx636": _HD, "imx646": _HD}
"""Sensor generations as plugin and sensor names spell them: hal_plugin_gen31_evk2, Gen4.1, hal_plugin_imx636_evk4."""

_BY_SYSTEM_ID = {"21": _VGA, "48": _HD}
"""Read off recordings that carry a plugin name too: 21 with hal_plugin_gen3_fx3, 48 with hal_plugin_gen41_evk3."""


def camera_size(fields: Mapping[str, str]) -> SensorSize | None:
    """Return the size of the camera that a header names, None when it names none that is known.

    Parameters
    ----------
    fields : mapping
        Header lines, value by lower-case key.

    Examples
    --------
    >>> camera_size({"plugin_name": "hal_plugin_gen3_fx3"})
    SensorSize(height=480, width=640)
    """
    for key in ("plugin_name", "sensor_name"):
        name = fields.get(key, "").lower()
        for part, size in _BY_NAME.items():
            if part in name:
                return size
    return _BY_SYSTEM_ID.get(fields.get("system_id", ""))
