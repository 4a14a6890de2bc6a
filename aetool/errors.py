"""The one exception tree.

AetoolError                anything the user can mend; the CLI prints it as one line and exits
├── PluginError            a plugin is missing, broken, or clashes with another
├── ParamError             an option or parameter has a value that is not allowed
├── DataError              the input data cannot be read or do not fit the model
├── EngineError            workers that were to compute cannot be reached, or are gone
├── BundleError            a .aem file is damaged or not one
└── ArchiveError           a .aez file is damaged or not one
    └── NoArchiveError     a file that is not even called one

A message says what was found, what was allowed, and what to do. Any other exception is a bug.
"""


class AetoolError(Exception):
    """Root of every error aetool raises on purpose. `status` is the CLI's exit status. Its message
    says what was found, what is allowed, and what to do."""

    status = 2


class PluginError(AetoolError):
    """A plugin is missing, broken, or clashes with another."""


class ParamError(AetoolError):
    """An option or parameter has a value that is not allowed."""


class DataError(AetoolError):
    """The input data cannot be read, or do not fit the model."""


class EngineError(AetoolError):
    """The workers that were to compute cannot be reached, or are gone."""


class BundleError(AetoolError):
    """A model bundle is damaged, or not a bundle."""


class ArchiveError(AetoolError):
    """An archive is damaged, or not an archive."""

    status = 1


class NoArchiveError(ArchiveError):
    """A file is given for an archive, and neither is one nor has the name of one (.aez)."""

    status = 2
