"""The bundled free catalogue (`samples/catalog`) and the command that renders it (`samples.render`)."""
