"""Images of imports against the removal of orphans: what an import was promised stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from insitu.search.v1 import catalog_pb2
from services.search.image_intake import ImageIntake
from services.search.image_work import ImageWork
from services.search.index.edge import EdgeIndex
from services.search.media import Media

DATA = b"an image"


class SlowMedia(Media):
    """Deletes when it is told to."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.may_delete = asyncio.Event()
        self.may_delete.set()
        self.deleting = asyncio.Event()

    async def delete(self, image_id: str) -> None:
        self.deleting.set()
        await self.may_delete.wait()
        await super().delete(image_id)


class Parts:
    """An intake and what it stands on."""

    def __init__(self, folder: Path) -> None:
        self.media = SlowMedia(str(folder / "media"))
        self.work = ImageWork(threads=1)
        self.index = EdgeIndex(folder / "index")
        self.intake = ImageIntake(self.media, self.work, self.index)

    async def stored(self) -> str:
        image_id = await self.work.digest(DATA)
        await self.media.put(image_id, DATA)
        return image_id


@pytest_asyncio.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    made = Parts(tmp_path)
    yield made
    await made.index.close()
    made.work.close()
    made.media.close()


async def test_an_image_that_arrived_stays_until_it_is_released(parts: Parts) -> None:
    image_id = await parts.stored()
    (arrival,) = await parts.intake.arrived([catalog_pb2.ImageUpload(image_id=image_id)], "image")
    assert arrival.stored
    await parts.intake.remove_orphans({image_id})
    assert await parts.media.has(image_id)
    parts.intake.release([image_id])
    await parts.intake.remove_orphans({image_id})
    assert not await parts.media.has(image_id)


async def test_an_image_that_is_being_removed_is_asked_for_again(parts: Parts) -> None:
    image_id = await parts.stored()
    parts.media.may_delete.clear()
    removing = asyncio.create_task(parts.intake.remove_orphans({image_id}))
    await parts.media.deleting.wait()
    arriving = asyncio.create_task(
        parts.intake.arrived([catalog_pb2.ImageUpload(image_id=image_id)], "image")
    )
    await asyncio.sleep(0.05)
    parts.media.may_delete.set()
    (arrival,) = await arriving
    await removing
    assert arrival.missing
