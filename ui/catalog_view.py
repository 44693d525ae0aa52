"""What the page shows of the catalogue as a whole: categories, example rooms, its state."""

from __future__ import annotations

from dataclasses import dataclass

from services.search.client import CatalogFacts, SearchClient
from ui.markup import note
from ui.rooms import example_strip
from ui.wording import sentence

EXAMPLES_SHOWN = 24
EMPTY_CATALOG = "The catalog is empty. Fill it with: insitu index FOLDER"


@dataclass(frozen=True)
class CatalogState:
    """The banner (empty when all is well), categories with counts, the example strip."""

    banner: str
    categories: tuple[tuple[str, int], ...] = ()
    examples: str = ""

    @property
    def ready(self) -> bool:
        """Whether there is anything to search."""
        return not self.banner


class CatalogView:
    """Asks the search service what there is."""

    def __init__(self, client: SearchClient, *, deadline_s: float) -> None:
        self._client = client
        self._deadline_s = deadline_s

    def state(self) -> CatalogState:
        """The catalogue at this moment; a service that is down is a sentence, not an error."""
        try:
            facts: CatalogFacts = self._client.facts(deadline_s=self._deadline_s)
            if facts.product_count == 0:
                return CatalogState(note(EMPTY_CATALOG, "warning"))
            return CatalogState("", facts.categories, self._strip(""))
        except Exception as problem:
            return CatalogState(note(sentence(problem), "error"))

    def examples(self, page_token: str) -> str:
        """Another page of example rooms, or a sentence."""
        try:
            return self._strip(page_token)
        except Exception as problem:
            return note(sentence(problem), "error")

    def _strip(self, page_token: str) -> str:
        page = self._client.list_scenes(
            page_size=EXAMPLES_SHOWN, page_token=page_token, deadline_s=self._deadline_s
        )
        return example_strip(page, is_first=not page_token)
