"""How far a fit is, told to whoever shows it: a callback of fit, or a line on the terminal."""

from __future__ import annotations

from aetool.data import notices
from aetool.model import Progress, State

MEMBER_STEPS = 100  # steps of progress that a member of a joint model counts for


def tell(progress: Progress | None, step: int, steps: int, words: str) -> None:
    """Report that so many of all steps are done, if anybody wants to know."""
    if progress is not None:
        progress({"step": step, "steps": steps, "words": words})


def of_member(progress: Progress | None, place: int, members: int, name: str) -> Progress | None:
    """Report the progress of one member as a part of the progress of all members."""
    if progress is None:
        return None

    def progress_of_member(state: State) -> None:
        done = MEMBER_STEPS * state["step"] // state["steps"]
        words = state["words"] if state["words"] == name else f"{name}: {state['words']}"
        tell(progress, MEMBER_STEPS * place + done, MEMBER_STEPS * members, words)

    return progress_of_member


def to_the_reader(state: State) -> None:
    """Report a fit that a verb needs on its way as it reports the reading of data."""
    part = state["step"] / state["steps"]
    line = f"{100 * part:3.0f} %  learning what is usual: {state['words']}"
    notices.advance(state["step"] == 0, line)


class Steps:
    """The steps of a fit that takes several models of one kind, counted as they are done."""

    def __init__(self, progress: Progress | None, name: str) -> None:
        """name: of the model, which the report repeats."""
        self._progress = progress
        self._name = name
        self._done = 0
        self._steps = 1
        self._report()

    def expect(self, steps: int) -> None:
        """Say how many steps there are in all, those that are done already among them."""
        self._steps = max(steps, self._done)

    def advance(self) -> None:
        """Report that one more step is done."""
        self._done += 1
        self._report()

    def end(self) -> None:
        """Report that all is done, however many steps there were."""
        self._done = self._steps
        self._report()

    def _report(self) -> None:
        # in hundredths, as how many steps there are is not known from the first; and a step more
        # than expected never makes more than all
        done = min(100, 100 * self._done // self._steps)
        tell(self._progress, done, 100, self._name)
