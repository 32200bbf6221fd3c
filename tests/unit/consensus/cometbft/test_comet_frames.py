import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.consensus.cometbft.frames import BadFrame, FrameBuffer, frame

LIMIT = 1 << 20


@given(st.lists(st.binary(max_size=400), max_size=8), st.integers(1, 50))
def test_messages_come_out_as_they_went_in_however_the_bytes_are_cut(messages: list[bytes], piece: int) -> None:
    stream, buffer, found = b"".join(map(frame, messages)), FrameBuffer(LIMIT), []
    for start in range(0, len(stream), piece):
        buffer.feed(stream[start : start + piece])
        while (message := buffer.take()) is not None:
            found.append(message)
    assert found == messages
    assert buffer.take() is None


@given(st.integers(0, 1 << 18))
def test_the_length_is_a_varint(size: int) -> None:
    framed = frame(bytes(size))
    prefix = framed[: len(framed) - size]
    assert sum((byte & 0x7F) << (7 * index) for index, byte in enumerate(prefix)) == size
    assert all(byte & 0x80 for byte in prefix[:-1])
    assert not prefix[-1] & 0x80


def test_a_frame_over_the_limit_is_refused_before_it_arrives() -> None:
    buffer = FrameBuffer(100)
    buffer.feed(frame(bytes(101))[:2])
    with pytest.raises(BadFrame, match="limit is 100"):
        buffer.take()


def test_a_length_without_an_end_is_refused() -> None:
    buffer = FrameBuffer(LIMIT)
    buffer.feed(b"\xff" * 5)
    with pytest.raises(BadFrame, match="too many bytes"):
        buffer.take()


def test_a_frame_of_exactly_the_limit_is_taken() -> None:
    buffer = FrameBuffer(100)
    buffer.feed(frame(bytes(100)))
    assert buffer.take() == bytes(100)
