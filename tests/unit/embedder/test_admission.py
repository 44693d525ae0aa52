"""Permits."""

import asyncio

import pytest

from services.embedder.admission import Admission
from services.runtime.errors import Busy


async def test_no_more_crops_than_permits_are_in_flight() -> None:
    admission = Admission(4, 1)
    with admission.interactive(3):
        with pytest.raises(Busy) as caught, admission.interactive(2):
            pass
        assert caught.value.retry_after_s is not None
        with admission.interactive(1):
            pass
    with admission.interactive(4):
        pass


async def test_a_call_of_more_crops_than_permits_is_admitted_alone() -> None:
    admission = Admission(4, 1)
    with admission.interactive(64), pytest.raises(Busy), admission.interactive(1):
        pass


async def test_permits_come_back_after_an_error() -> None:
    admission = Admission(1, 1)
    with pytest.raises(ValueError, match="inside"), admission.interactive(1):
        raise ValueError("inside")
    with admission.interactive(1):
        pass


async def test_bulk_waits_and_leaves_interactive_permits_alone() -> None:
    admission = Admission(1, 1)
    async with admission.bulk():
        with admission.interactive(1):
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), admission.bulk():
                pass
    async with admission.bulk():
        pass
