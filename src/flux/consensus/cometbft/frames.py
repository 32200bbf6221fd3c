"""Framing of the ABCI socket: each message is its length as an unsigned varint, then so many bytes of protobuf."""

_MAX_VARINT = 5


class BadFrame(ValueError):
    """The bytes are no ABCI frame, or one that is too large."""


class FrameBuffer:
    """Bytes as they arrive, cut into frames."""

    __slots__ = ("_bytes", "_limit", "_start")

    def __init__(self, limit: int) -> None:
        """`limit`: most bytes of one frame."""
        self._bytes = bytearray()
        self._start = 0
        self._limit = limit

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        self._bytes += data

    def take(self) -> bytes | None:
        """The next whole frame; None when more bytes are needed. Raises BadFrame."""
        size, position = 0, self._start
        for shift in range(0, 7 * _MAX_VARINT, 7):
            if position >= len(self._bytes):
                return None
            byte = self._bytes[position]
            position += 1
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            raise BadFrame("the length of a frame has too many bytes")
        if size > self._limit:
            raise BadFrame(f"a frame of {size} bytes was announced; the limit is {self._limit}")
        end = position + size
        if end > len(self._bytes):
            return None
        frame = bytes(self._bytes[position:end])
        self._start = end
        if self._start == len(self._bytes) or self._start > 1 << 16:
            del self._bytes[: self._start]
            self._start = 0
        return frame


def frame(message: bytes) -> bytes:
    """The message with its length before it."""
    size, prefix = len(message), bytearray()
    while size >= 0x80:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + message
