"""The embedder process: ``python -m services.embedder``."""

from __future__ import annotations

import asyncio

from services.embedder.batcher import EngineFailedError
from services.embedder.config import EmbedderConfig
from services.embedder.engine_choice import EngineUnavailableError
from services.embedder.model_file import ModelFileError
from services.embedder.server import open_model, serve
from services.runtime.config import read_config
from services.runtime.logs import configure_logging


def main() -> None:
    """Run the embedder with the settings of the environment.

    Raises:
        SystemExit: a setting is wrong, the model cannot be loaded or the port cannot be had; the text says
            which.
    """
    config = read_config(EmbedderConfig)
    configure_logging("embedder", config.log_level)
    try:
        model, engine = open_model(config)
    except (ModelFileError, EngineUnavailableError) as error:
        raise SystemExit(str(error)) from error
    try:
        asyncio.run(serve(config, model, engine))
    except EngineFailedError as error:
        raise SystemExit(
            f"The model does not run with {engine.name} on {engine.device}; see the log."
        ) from error


if __name__ == "__main__":
    main()
