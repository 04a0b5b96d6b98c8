# The first command that is run, such as `make demo` or `make test`, creates the environment .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# A GTZAN folder, for the demo on recordings instead of synthetic tracks and for the figures.
GTZAN ?=
# How the tests are shared among processes.
PROCESSES ?= -n 2 --dist worksteal
# Processes that share the cores would wait for each other's threads.
TESTS = OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PROCESSES)

.PHONY: demo test test-minimum test-extras fuzz kill lint format docs checks figures robustness reproduce starter pictures bench scale coverage build clean

# Installed again if the dependencies have changed.
$(VENV)/installed: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

# With the weights of musicnn (ISC license), which is not part of any extra. It asks for a NumPy
# below 1.17, which only its code needs.
demo: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --no-deps musicnn==0.1.0
	$(BIN)/python examples/demo.py $(if $(GTZAN),--gtzan $(GTZAN))

test: $(VENV)/installed
	$(TESTS) -m "not slow"

# The tests on the lowest versions that setup.cfg allows.
test-minimum:
	test -x .venv-minimum/bin/python || $(PYTHON) -m venv .venv-minimum
	.venv-minimum/bin/python -m pip install --quiet --editable ".[test]" -c constraints-minimum.txt
	.venv-minimum/bin/python -m pytest $(PROCESSES) -m "not slow"

# The slow tests, and those that need the weights of musicnn.
test-extras: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --no-deps musicnn==0.1.0
	$(TESTS) -m slow
	$(BIN)/python -m pytest tests/test_musicnn.py

# 20,000 mutated files, then 9,000 model files, most of them within the schema; takes minutes.
fuzz: $(VENV)/installed
	$(BIN)/python -m tests.fuzz
	$(BIN)/python -m tests.fuzz --models --cases 36000

kill: $(VENV)/installed
	$(BIN)/python -m tests.kill

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python docs/check_links.py

# Rewrites the table of scikit-learn's checks in the documentation.
checks: $(VENV)/installed
	$(BIN)/python benchmarks/scikit_learn_checks.py

# Rewrites the figures of the documentation that are measured on GTZAN=<folder>, and those of the
# presets on genre folders of its tracks, TRACKS=<folder>; minutes, hours on few cores.
TRACKS ?= $(GTZAN)/genres_original
figures: $(VENV)/installed
	$(BIN)/python benchmarks/gtzan_tables.py $(GTZAN)
	$(BIN)/python benchmarks/accuracy.py $(TRACKS)

# Rewrites the page on robustness, on genre folders of GTZAN's tracks, TRACKS=<folder>; 20 minutes.
robustness: $(VENV)/installed
	$(BIN)/python benchmarks/robustness.py $(TRACKS)

# Trains the published networks on GTZAN=<folder>, whole or in part, and writes the page "The
# published system"; resumes an interrupted run.
reproduce: $(VENV)/installed
	$(BIN)/python benchmarks/reproduce.py $(GTZAN)

# Trains the models that come with the package, on GTZAN=<folder> with the table of 30-second
# features and the tags of musicnn.
starter: $(VENV)/installed
	$(BIN)/python benchmarks/starter_model.py $(GTZAN)

# Draws the pictures of the README, one of them from GTZAN=<folder>.
pictures: $(VENV)/installed
	$(BIN)/python benchmarks/pictures.py $(GTZAN)

# Compares the run times of skgenre and alternatives, on GTZAN=<folder> or on synthetic tracks.
bench: $(VENV)/installed
	$(BIN)/python benchmarks/speed.py $(GTZAN)

# Measures scalability; takes a while.
scale: $(VENV)/installed
	$(BIN)/python benchmarks/scale.py

coverage: $(VENV)/installed
	$(BIN)/python -m pytest $(PROCESSES) --cov=skgenre --cov-branch --cov-report=term-missing

build: $(VENV)/installed
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) .venv-minimum build dist demo_output docs/_build docs/generated docs/auto_examples docs/sg_execution_times.rst *.egg-info
