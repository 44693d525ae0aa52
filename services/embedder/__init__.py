"""The embedder: image files and boxes in, embeddings out. The only process that runs the network."""
