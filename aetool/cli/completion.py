"""What the shell offers where Tab is pressed: files, names of plugins and devices, beside the verbs
and options that click offers by itself. Imported only while a shell asks."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

# Options whose values are files or folders, as their functions call them; arguments of verbs are.
FILES = {
    "calibration", "clean", "data", "like", "model", "output", "plot", "report", "sheet", "target",
}  # fmt: skip
DEVICES = ("auto", "cpu", "cuda")


class PluginName(click.types.StringParamType):
    """The type of a parameter that names an installed plugin, for completion in the shell. It takes
    any word: the commands check it themselves."""

    name = "plugin"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the names of installed plugins that begin with what is typed, incomplete. No
        plugin is imported. PluginError where two installed packages claim one name."""
        from aetool import plugins

        return [CompletionItem(name) for name in plugins.available() if name.startswith(incomplete)]


class DeviceName(click.types.StringParamType):
    """The type of a parameter that names a device, for completion in the shell. It takes any word:
    the commands check it themselves."""

    name = "device"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,
        incomplete: str,
    ) -> list[CompletionItem]:
        """The names of devices that begin with what is typed, but for those with a number, such as
        cuda:1."""
        return [CompletionItem(name) for name in DEVICES if name.startswith(incomplete)]


def prepare(command: click.Command) -> None:
    """Give the parameters of a command, in place, types that complete their values in the shell; of
    a group the arguments of its commands, but for that of `new`."""
    if isinstance(command, click.Group):
        # of plugins: their arguments are names, but for that of `new`
        for name, sub_command in command.commands.items():
            for parameter in sub_command.params:
                if isinstance(parameter, click.Argument) and name != "new":
                    parameter.type = PluginName()
        return
    for parameter in command.params:
        if parameter.name == "plugin":
            parameter.type = PluginName()
        elif parameter.name == "device":
            parameter.type = DeviceName()
        elif isinstance(parameter, click.Argument) or parameter.name in FILES:
            parameter.type = click.Path()
