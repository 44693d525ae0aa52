"""The vector database: one port (`port`), an embedded adapter (`edge`) and one for a server (`server`)."""
