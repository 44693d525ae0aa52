"""Entities to protobuf messages and back. The only place that knows both."""

from __future__ import annotations

from insitu.geometry.v1 import geometry_pb2
from insitu.search.v1 import catalog_types_pb2 as types_pb2
from services.imaging import Box
from services.search.entities import Image, Product, Region, Scene


def box_to_proto(box: Box) -> geometry_pb2.Box:
    """Pixels to pixels."""
    return geometry_pb2.Box(x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)


def box_from_proto(message: geometry_pb2.Box) -> Box:
    """Pixels to pixels; nothing is checked here."""
    return Box(message.x_min, message.y_min, message.x_max, message.y_max)


def image_to_proto(image: Image) -> types_pb2.Image:
    """Same fields."""
    return types_pb2.Image(image_id=image.image_id, width_px=image.width_px, height_px=image.height_px)


def image_from_proto(message: types_pb2.Image) -> Image:
    """Same fields."""
    return Image(message.image_id, message.width_px, message.height_px)


def product_to_proto(product: Product) -> types_pb2.Product:
    """`price` stays unset when it is None."""
    message = types_pb2.Product(
        product_id=product.product_id,
        title=product.title,
        category=product.category,
        currency=product.currency,
        url=product.url,
        attributes=dict(product.attributes),
        images=[image_to_proto(image) for image in product.images],
    )
    if product.price is not None:
        message.price = product.price
    return message


def product_from_proto(message: types_pb2.Product) -> Product:
    """An unset `price` becomes None."""
    return Product(
        product_id=message.product_id,
        title=message.title,
        category=message.category,
        price=message.price if message.HasField("price") else None,
        currency=message.currency,
        url=message.url,
        attributes=dict(message.attributes),
        images=tuple(image_from_proto(image) for image in message.images),
    )


def region_to_proto(region: Region) -> types_pb2.Region:
    """Same fields."""
    return types_pb2.Region(
        region_id=region.region_id,
        scene_id=region.scene_id,
        box=box_to_proto(region.box),
        product_id=region.product_id,
        category=region.category,
        proposed=region.proposed,
    )


def region_from_proto(message: types_pb2.Region) -> Region:
    """Same fields."""
    return Region(
        region_id=message.region_id,
        scene_id=message.scene_id,
        box=box_from_proto(message.box),
        product_id=message.product_id,
        category=message.category,
        proposed=message.proposed,
    )


def scene_to_proto(scene: Scene) -> types_pb2.Scene:
    """Same fields."""
    return types_pb2.Scene(
        scene_id=scene.scene_id,
        image=image_to_proto(scene.image),
        attributes=dict(scene.attributes),
        regions=[region_to_proto(region) for region in scene.regions],
    )


def scene_from_proto(message: types_pb2.Scene) -> Scene:
    """Same fields."""
    return Scene(
        scene_id=message.scene_id,
        image=image_from_proto(message.image),
        attributes=dict(message.attributes),
        regions=tuple(region_from_proto(region) for region in message.regions),
    )
