"""What aetool does, as plain functions; the CLI and the Python API call these and nothing else.

Each is imported when it is first asked for: detecting need not load what archiving needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aetool.archives.lossy_job import CompressOptions as CompressOptions
    from aetool.fits.asked import FitOptions as FitOptions
    from aetool.fits.fitting import explained as explained
    from aetool.fits.fitting import fit as fit
    from aetool.operations.archiving import compress as compress
    from aetool.operations.calibrating import calibrated as calibrated
    from aetool.operations.cleaning import DenoiseOptions as DenoiseOptions
    from aetool.operations.cleaning import denoise as denoise
    from aetool.operations.coding import decode as decode
    from aetool.operations.coding import encode as encode
    from aetool.operations.detecting import detect as detect
    from aetool.operations.drifting import drift as drift
    from aetool.operations.evaluating import evaluate as evaluate
    from aetool.operations.evaluating import maps_of as maps_of
    from aetool.operations.evaluating import score as score
    from aetool.operations.explaining import as_record as as_record
    from aetool.operations.explaining import explain as explain
    from aetool.operations.exporting import export as export
    from aetool.operations.inspecting import info as info
    from aetool.operations.inspecting import verify as verify
    from aetool.operations.merging import merge as merge
    from aetool.operations.reporting import report as report
    from aetool.operations.restoring import decompress as decompress
    from aetool.operations.sampling import SampleOptions as SampleOptions
    from aetool.operations.sampling import sample as sample
    from aetool.operations.searching import SearchOptions as SearchOptions
    from aetool.operations.searching import similar as similar
    from aetool.operations.surveying import TradeoffOptions as TradeoffOptions
    from aetool.operations.surveying import tradeoff as tradeoff
    from aetool.scoring.results import Detection as Detection
    from aetool.scoring.watching import Watches as Watches

_HOMES = {
    "as_record": "operations.explaining",
    "CompressOptions": "archives.lossy_job",
    "DenoiseOptions": "operations.cleaning",
    "Detection": "scoring.results",
    "FitOptions": "fits.asked",
    "SampleOptions": "operations.sampling",
    "SearchOptions": "operations.searching",
    "TradeoffOptions": "operations.surveying",
    "Watches": "scoring.watching",
    "calibrated": "operations.calibrating",
    "compress": "operations.archiving",
    "decode": "operations.coding",
    "decompress": "operations.restoring",
    "denoise": "operations.cleaning",
    "detect": "operations.detecting",
    "drift": "operations.drifting",
    "encode": "operations.coding",
    "evaluate": "operations.evaluating",
    "explain": "operations.explaining",
    "explained": "fits.fitting",
    "export": "operations.exporting",
    "fit": "fits.fitting",
    "info": "operations.inspecting",
    "maps_of": "operations.evaluating",
    "merge": "operations.merging",
    "report": "operations.reporting",
    "sample": "operations.sampling",
    "score": "operations.evaluating",
    "similar": "operations.searching",
    "tradeoff": "operations.surveying",
    "verify": "operations.inspecting",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import an operation, or a class of options, from its module when it is first asked for.
    AttributeError for any name that is not in __all__."""
    if name not in _HOMES:
        raise AttributeError(f"module 'aetool.operations' has no attribute '{name}'")
    return getattr(import_module(f"aetool.{_HOMES[name]}"), name)
