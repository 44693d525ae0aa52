"""The search service: the catalogue and both queries of visual search."""
