"""Both queries from Python: python search_rooms.py ROOM.jpg X0,Y0,X1,Y1 [PRODUCT_ID]"""

# ruff: noqa: T201
import os
import sys
from pathlib import Path

import grpc

from insitu.geometry.v1.geometry_pb2 import Box
from insitu.search.v1 import search_pb2, search_pb2_grpc


def main(photo: str, box_text: str, product_id: str = "") -> None:
    """Print the products like the object in the box, then the rooms that use one of them."""
    x_min, y_min, x_max, y_max = map(float, box_text.split(","))
    address = os.environ.get("INSITU_SEARCH_ADDRESS", "127.0.0.1:50052")
    options = [("grpc.max_send_message_length", 12 * 1024 * 1024)]
    with grpc.insecure_channel(address, options=options) as channel:
        service = search_pb2_grpc.SearchServiceStub(channel)

        # Query 1: the object in the box -> products like it.
        image = search_pb2.ImageQuery(
            image=Path(photo).read_bytes(), box=Box(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)
        )
        found = service.SearchProducts(search_pb2.SearchProductsRequest(image=image, page_size=5), timeout=10)
        for hit in found.hits:
            print(f"product {hit.product.product_id}  {hit.score:.3f}  {hit.product.title}")

        # Query 2: a product (by default the best one just found) -> rooms that use it.
        product_id = product_id or found.hits[0].product.product_id
        rooms = service.SearchScenes(
            search_pb2.SearchScenesRequest(product_id=product_id, page_size=5), timeout=10
        )
        for hit in rooms.hits:
            box = hit.regions[0].region.box
            corners = f"{box.x_min:g},{box.y_min:g},{box.x_max:g},{box.y_max:g}"
            print(f"scene {hit.scene.scene_id}  {hit.score:.3f}  {corners}")


if __name__ == "__main__":
    main(*sys.argv[1:])
