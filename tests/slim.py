"""The whole runtime path where torch is not installed; run by `make slim` in a venv of its own."""

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

model = Path(sys.argv[1]).resolve()
default = model.with_stem("default")
part = model.with_name("part.csv")  # what both were fitted to
for package in ("torch", "onnxscript", "pytest", "sklearn"):
    assert importlib.util.find_spec(package) is None, f"{package} is installed: this is not slim"

import aetool  # noqa: E402

table = Path(aetool.__file__).parent / "demo" / "beijing_air.csv"
assert ".venv-slim" in str(table), "the wheel must be installed, data and all"
# of the whole table what a first user does with it, which `demo` does with it, too
COMMANDS = f"""
--help
plugins list
fit {table} -p pca -o m.aem
detect {table} -m m.aem
compress {table} -o a.aez
decompress a.aez -o a.csv
fit {part} -o auto.aem
fit {part} --context 2 --order time --robust -o context.aem
detect {part} -m auto.aem --fdr 10% --calibration {part}
detect {part} -m context.aem --top 3
detect {part} -m {model} --all -q -o deep.csv
detect {part} -m {default} --all -q -o default.csv
detect {part} --top 3
detect {part} -m {model} --top 3
compress {part} --lossy-only -m {model} --embed -o b.aez
decompress b.aez -o b.csv
compress {part} --lossy-only -o c.aez
decompress c.aez -c --rows 1:3
info {model}
info b.aez
verify a.aez b.aez m.aem {model}
evaluate {part} --label wd --normal N,NE,NW
export {model} -o onnx
demo -o demo
doctor
"""
with tempfile.TemporaryDirectory() as folder:
    for line in COMMANDS.strip().splitlines():
        command = [sys.executable, "-m", "aetool", *line.split()]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"aetool {line}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
    assert (Path(folder) / "a.csv").read_bytes() == table.read_bytes()
    for scored in (model, default):
        there = scored.with_suffix(".csv").read_bytes()
        assert (Path(folder) / f"{scored.stem}.csv").read_bytes() == there, "the same scores"
    command = [sys.executable, "-m", "aetool", "fit", str(table), "-p", "vae", "-o", "x.aem"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "pip install 'aetool[train]'" in done.stderr, done.stderr
print(f"slim: {len(COMMANDS.strip().splitlines()) + 1} passed, 0 failed")
