"""eventdet.viewer: a live web page of a stream, served on this machine."""

from .frames import encode_frame, pack_picture
from .server import Audience, LivePage

__all__ = ["Audience", "LivePage", "encode_frame", "pack_picture"]
