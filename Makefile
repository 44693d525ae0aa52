# Everything a person types. `make demo` and `make test` are the two that matter.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
PROTOS := $(shell find protos -name '*.proto' | sort)

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-gpu lint format browser protos protos-baseline lock bench recall docs model samples clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.demo: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || { echo "InSitu needs Python 3.11 or newer: set PYTHON=..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): PyTorch and its CUDA libraries, a few gigabytes; this takes minutes, once."
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): PyTorch and its CUDA libraries, a few gigabytes; this takes minutes, once."
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@ $(VENV)/.demo

protos: $(VENV)/.dev ## Generate the Python code of protos/, beside the .proto files
	$(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=protos --grpc_python_out=protos \
	  --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --mypy_out=quiet:protos --mypy_grpc_out=quiet:protos $(PROTOS)

lock: $(VENV)/.dev ## Resolve the version ranges of pyproject.toml again
	$(BIN)/uv pip compile -q pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header -o requirements-dev.lock
	$(BIN)/uv pip compile -q pyproject.toml --extra demo --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header -c requirements-dev.lock -o requirements.lock

protos-baseline: $(VENV)/.dev ## At a release: the interface that later changes must not break
	$(BIN)/buf build -o protos/baseline.binpb

demo: $(VENV)/.demo ## Start everything on this machine: make demo [CATALOG=folder] [PORT=7860]
	@$(BIN)/insitu demo $(if $(CATALOG),--catalog "$(CATALOG)") $(if $(PORT),--port $(PORT))

test: lint browser ## Every test that needs no GPU and no Qdrant server
	$(BIN)/python -m pytest -m "not slow and not gpu"

test-slow: $(VENV)/.dev browser ## The tests that take minutes
	$(BIN)/python -m pytest -m slow --timeout 1800

test-gpu: $(VENV)/.dev ## The tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

lint: $(VENV)/.dev ## Style, types and protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/buf lint

format: $(VENV)/.dev ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

browser: ## Chromium for the tests of the page
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] && S= || S=sudo; $$S apt-get update -qq && $$S apt-get install -y -qq chromium >/dev/null; }; } || \
	  { echo "The tests need Chromium on the PATH: install it with the package manager of the system."; exit 1; }

bench: $(VENV)/.dev ## Measure throughput and latency here, JSON in bench/: make bench [CATALOG=folder]
	$(BIN)/python -m tests.bench.embedder_bench --out bench/embedder-whole.json
	$(BIN)/python -m tests.bench.embedder_bench --boxes 8 --out bench/embedder-boxes.json
	$(BIN)/python -m tests.bench.search_bench --catalog "$(or $(CATALOG),samples/catalog)" --json bench/search.json

recall: $(VENV)/.dev ## Query-1 recall of a catalogue: make recall CATALOG=folder [MODEL=file]
	$(BIN)/insitu evaluate "$(or $(CATALOG),samples/catalog)" $(if $(MODEL),--model "$(MODEL)")

samples: ## Render the bundled catalogue again (about 40 minutes; needs sweethome3d-furniture from Debian)
	test -x .cache/blender/bin/python || $(PYTHON) -m venv .cache/blender
	.cache/blender/bin/pip install --quiet 'bpy==4.5.*' pillow
	.cache/blender/bin/python -m samples.render --attribution samples/ATTRIBUTION

model: $(VENV)/.dev ## Fit the bundled model to the bundled catalogue: make model INIT=imagenet.safetensors
	$(BIN)/python -m training.pca samples/catalog services/embedder/models/mobilenet_v2-pca256.safetensors \
	  $(if $(INIT),--init "$(INIT)") --float16 --license Apache-2.0 --provenance "Backbone: Google's mobilenet_v2 trained on \
	ImageNet-1k (github.com/google-coral/test_data); PCA fitted on the product images of the bundled catalogue \
	(rendered from CC0 and CC BY 3.0 models)."

docs: $(VENV)/.dev ## Write the generated pages of docs/
	$(BIN)/python -m tests.contract.configuration_page

clean: ## Remove the environment, the demo's data and everything generated
	rm -rf $(VENV) .insitu .mypy_cache .ruff_cache .pytest_cache bench
