"""Files as gzip and xz treat them: a name stands for a whole file or folder at every instant.

outputs writes a file, a pipe or a device; trees a whole folder; spools keeps what can be read only
once; attributes hands modes and times on from file to file.
"""

from __future__ import annotations

from aetool.files.attributes import Attributes as Attributes
from aetool.files.attributes import attributes_of as attributes_of
from aetool.files.names import named_path as named_path
from aetool.files.outputs import atomic as atomic
from aetool.files.outputs import output as output
from aetool.files.outputs import scratch_folder as scratch_folder
from aetool.files.outputs import standard_output as standard_output
from aetool.files.spools import NoRoomError as NoRoomError
from aetool.files.spools import Place as Place
from aetool.files.spools import copied as copied
from aetool.files.spools import new_spool as new_spool
from aetool.files.spools import one_reading as one_reading
from aetool.files.spools import place_of as place_of
from aetool.files.spools import read_all as read_all
from aetool.files.spools import scratch as scratch
from aetool.files.trees import new_folder as new_folder
from aetool.files.trees import repair as repair
from aetool.system import path_of as path_of
