"""The `insitu` command."""
