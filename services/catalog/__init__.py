"""The catalogue folder format: CSV, JSON Lines or Parquet to typed rows and row errors."""

from services.catalog.folder import Catalog, CatalogCheck, read_catalog
from services.catalog.rows import ProductRow, RegionRow, RowError, SceneRow
from services.catalog.tables import UNREADABLE_REASONS, CatalogUnreadableError

__all__ = [
    "UNREADABLE_REASONS",
    "Catalog",
    "CatalogCheck",
    "CatalogUnreadableError",
    "ProductRow",
    "RegionRow",
    "RowError",
    "SceneRow",
    "read_catalog",
]
