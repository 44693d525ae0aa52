"""The web page: rooms to products and back. Talks to the search service alone."""
