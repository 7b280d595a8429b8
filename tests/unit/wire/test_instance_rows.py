"""Chunks of instances in columns: whatever the instances are, they come back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.core.instances import NEVER, Copy, History, InstanceState
from processors.core.series import CHUNK
from processors.wire.instance_rows import decode_instances, encode_instances

times = st.integers(-(2**56), 2**58)
texts = st.sampled_from(["", "a", "ab", "\0", "a\0b", "ü"])
copies = st.builds(
    lambda dated, deleted: Copy(tuple(dated), deleted_at_us=deleted), st.lists(times), times | st.just(NEVER)
)
histories = st.builds(
    History,
    st.dictionaries(texts, copies, max_size=2),
    st.none() | times,
    times,
    st.just(()),
)
instances = st.builds(
    InstanceState,
    sop_instance_uid=st.sampled_from(["", "1.2.3", "1.2.34", "1.2"]) | st.text("0123456789.", max_size=64),
    sop_class_uid=texts,
    number=st.none() | st.integers(0, 2**31 - 1),
    frames=st.none() | st.integers(1, 3),
    frame_of_reference_uid=texts,
    occurred_at_us=st.none() | times,
    source=texts,
    event_id=texts,
    digest=st.sampled_from([b"", b"12345678", b"87654321"]),
    history=st.none() | histories,
    volume=texts,
)


@given(st.lists(instances, min_size=1, max_size=CHUNK), st.integers(0, 999))
def test_they_come_back(chunk: list[InstanceState], number: int) -> None:
    first = number * CHUNK
    placed = [each._replace(position=first + n) for n, each in enumerate(chunk)]
    assert list(decode_instances(encode_instances(placed), first)) == placed


@given(instances, st.integers(1, CHUNK))
def test_what_is_the_same_for_all_is_written_once(instance: InstanceState, count: int) -> None:
    placed = [instance._replace(position=n) for n in range(count)]
    chunk = encode_instances(placed)
    assert list(decode_instances(chunk, 0)) == placed
    assert len(chunk) < len(encode_instances(placed[:1])) + 8 * count + 16, "no more than the digests"
