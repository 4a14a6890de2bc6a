"""What is said where a compiled file of the program itself (.pyc) is damaged."""

from __future__ import annotations

from aetool.errors import AetoolError

IMPORTER = "<frozen importlib._bootstrap_external>"  # where Python reads compiled files
# what is raised there for one that is cut short, or otherwise not as it was written
FAILURES = (EOFError, ImportError, TypeError, ValueError)


def naming_damaged_file(error: Exception) -> Exception:
    """The error to raise in the place of one in FAILURES: if a compiled file could not be read
    while a module was imported, an AetoolError that names it; else the error itself."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        # the importer alone knows the file: the error does not name it
        if frame.f_code.co_filename == IMPORTER and frame.f_code.co_name == "_compile_bytecode":
            path = frame.f_locals["bytecode_path"]
            return AetoolError(f"{path}: the program is damaged ({error}): delete this file")
        trace = trace.tb_next
    return error
