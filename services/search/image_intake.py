"""Images of an import: their ids, whether the bytes are known, and storing them once they are judged."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from insitu.search.v1 import catalog_pb2
from services.imaging import ImageRefused
from services.runtime.errors import InvalidInput
from services.search.entities import Image
from services.search.image_work import ImageWork
from services.search.index.port import AnyOf, Index, Kind, Where
from services.search.media import Media, is_image_id


@dataclass(frozen=True)
class Arrival:
    """An image of a request: its id, its bytes unless only the id was sent, whether it is stored already."""

    image_id: str
    data: bytes
    stored: bool
    field: str

    @property
    def missing(self) -> bool:
        """Whether nobody has the bytes."""
        return not self.data and not self.stored


class ImageIntake:
    """What product and scene imports share about images."""

    def __init__(self, media: Media, work: ImageWork, index: Index) -> None:
        self._media = media
        self._work = work
        self._index = index
        self._held: Counter[str] = Counter()
        self._removing: dict[str, asyncio.Event] = {}

    def release(self, image_ids: Sequence[str]) -> None:
        """Lets images that `arrived` be removed again once nothing shows them."""
        self._held.subtract(image_ids)
        self._held += Counter()  # drops those at zero

    async def arrived(self, uploads: Sequence[catalog_pb2.ImageUpload], field: str) -> list[Arrival]:
        """The images of a request; `field` is a format such as "images[{}]".

        They are kept from being removed as orphans until they are handed to `release`.

        Raises:
            InvalidInput: an id is malformed or does not fit its data.
        """
        fields = [field.format(number) for number in range(len(uploads))]
        image_ids = await asyncio.gather(*map(self._image_id, uploads, fields))
        self._held.update(image_ids)
        try:
            stored = await asyncio.gather(*map(self._is_stored, image_ids))
        except BaseException:
            self.release(image_ids)
            raise
        return [
            Arrival(image_id, upload.data, found, path)
            for image_id, upload, found, path in zip(image_ids, uploads, stored, fields, strict=True)
        ]

    async def _is_stored(self, image_id: str) -> bool:
        if removing := self._removing.get(image_id):
            await removing.wait()
        return await self._media.has(image_id)

    async def _image_id(self, upload: catalog_pb2.ImageUpload, field: str) -> str:
        image_id = upload.image_id
        if image_id and not is_image_id(image_id):
            raise InvalidInput(
                field, "BAD_IMAGE_ID", 'An image id is "sha256:" and 64 lower-case hex digits.'
            )
        if upload.data:
            digest = await self._work.digest(upload.data)
            if image_id and image_id != digest:
                raise InvalidInput(field, "DIGEST_MISMATCH", "The image's bytes do not fit its image_id.")
            image_id = digest
        elif not image_id:
            raise InvalidInput(field, "EMPTY", "The image is empty: send its bytes, its image_id, or both.")
        return image_id

    async def keep_judged_alone(self, arrivals: Sequence[Arrival]) -> None:
        """Checks and stores what came, while other images of the same item are still missing.

        Raises:
            InvalidInput: an image is refused.
        """
        for arrival in arrivals:
            if arrival.data and not arrival.stored:
                try:
                    await self._work.check(arrival.data)
                except ImageRefused as refused:
                    raise InvalidInput(arrival.field, refused.reason, refused.message) from refused
                await self._media.put(arrival.image_id, arrival.data)

    async def keep(self, arrival: Arrival) -> None:
        """Stores an image that the embedder has accepted."""
        if arrival.data and not arrival.stored:
            await self._media.put(arrival.image_id, arrival.data)

    async def bytes_of(self, arrival: Arrival) -> bytes:
        """The bytes, from the request or the store.

        Raises:
            InvalidInput: they were removed since.
        """
        data = arrival.data or await self._media.get(arrival.image_id)
        if not data:
            raise InvalidInput(arrival.field, "IMAGE_GONE", "The image was removed meanwhile: send it again.")
        return data

    async def described(self, arrival: Arrival, data: bytes) -> Image:
        """The image with its upright size.

        Raises:
            InvalidInput: the file is refused from its header.
        """
        try:
            header = await self._work.header(data)
        except ImageRefused as refused:
            raise InvalidInput(arrival.field, refused.reason, refused.message) from refused
        return Image(arrival.image_id, header.width_px, header.height_px)

    async def remove_orphans(self, image_ids: set[str]) -> None:
        """Removes those images that no product or scene of any model shows any more."""
        models = await self._index.models() if image_ids else ()
        for image_id in sorted(image_ids):
            if image_id in self._held or image_id in self._removing:
                continue
            # An import that starts to rely on it now waits, and then finds it gone or kept for good.
            decided = self._removing[image_id] = asyncio.Event()
            try:
                shown = Where((AnyOf("image_id", (image_id,)),))
                counts = [
                    await self._index.count(model.digest, kind, shown)
                    for model in models
                    for kind in (Kind.PRODUCTS, Kind.SCENES)
                ]
                if not any(counts):
                    await self._media.delete(image_id)
                    self._work.forget(image_id)
            finally:
                del self._removing[image_id]
                decided.set()
