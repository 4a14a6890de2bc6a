"""What aetool does, as plain functions; the CLI and the Python API call these and nothing else.

Each is imported when it is first asked for: detecting need not load what archiving needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aetool.operations.archiving import compress as compress
    from aetool.operations.cleaning import DenoiseOptions as DenoiseOptions
    from aetool.operations.cleaning import denoise as denoise
    from aetool.operations.detecting import Detection as Detection
    from aetool.operations.detecting import Watches as Watches
    from aetool.operations.detecting import calibrated as calibrated
    from aetool.operations.detecting import detect as detect
    from aetool.operations.detecting import encode as encode
    from aetool.operations.detecting import evaluate as evaluate
    from aetool.operations.detecting import maps_of as maps_of
    from aetool.operations.detecting import score as score
    from aetool.operations.drifting import drift as drift
    from aetool.operations.explaining import as_record as as_record
    from aetool.operations.explaining import explain as explain
    from aetool.operations.exporting import export as export
    from aetool.operations.fitting import FitOptions as FitOptions
    from aetool.operations.fitting import explained as explained
    from aetool.operations.fitting import fit as fit
    from aetool.operations.inspecting import info as info
    from aetool.operations.inspecting import verify as verify
    from aetool.operations.lossy_job import CompressOptions as CompressOptions
    from aetool.operations.merging import merge as merge
    from aetool.operations.reporting import report as report
    from aetool.operations.restoring import decode as decode
    from aetool.operations.restoring import decompress as decompress
    from aetool.operations.sampling import SampleOptions as SampleOptions
    from aetool.operations.sampling import sample as sample
    from aetool.operations.searching import SearchOptions as SearchOptions
    from aetool.operations.searching import similar as similar

_HOMES = {
    "as_record": "explaining",
    "CompressOptions": "lossy_job",
    "DenoiseOptions": "cleaning",
    "Detection": "detecting",
    "FitOptions": "fitting",
    "SampleOptions": "sampling",
    "SearchOptions": "searching",
    "Watches": "detecting",
    "calibrated": "detecting",
    "compress": "archiving",
    "decode": "restoring",
    "decompress": "restoring",
    "denoise": "cleaning",
    "detect": "detecting",
    "drift": "drifting",
    "encode": "detecting",
    "evaluate": "detecting",
    "explain": "explaining",
    "explained": "fitting",
    "export": "exporting",
    "fit": "fitting",
    "info": "inspecting",
    "maps_of": "detecting",
    "merge": "merging",
    "report": "reporting",
    "sample": "sampling",
    "score": "detecting",
    "similar": "searching",
    "verify": "inspecting",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'aetool.operations' has no attribute '{name}'")
    return getattr(import_module(f"aetool.operations.{_HOMES[name]}"), name)
