"""The InSitu services and what they share."""
