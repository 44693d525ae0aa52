"""Making and measuring models: nothing here serves."""
