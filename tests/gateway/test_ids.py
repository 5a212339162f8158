"""Ids of requests are those of the units, and tell who admitted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from neocloud.gateway.requests.ids import RequestIds, admitted_by
from neocloud.units import new_request_id

TIMES = st.integers(0, 2**62)


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**10 - 1), st.lists(TIMES, min_size=1))
def test_an_id_is_a_uuid_of_time_worker_and_count(
    gateway: int, worker: int, times: list[int]
) -> None:
    ids = RequestIds(gateway, worker)
    first = ids._count
    given_out = [ids.new(time_ns) for time_ns in times]
    who = (gateway << 10 | worker) << 48
    for number, (time_ns, found) in enumerate(zip(times, given_out, strict=True), start=1):
        assert found == new_request_id(time_ns, who | (first + number) % 2**48)
        assert admitted_by(found) == (gateway, worker)
