"""Reports how far a fit is: to a callback of fit, or as a line on the terminal."""

from __future__ import annotations

from aetool.data import notices
from aetool.model import Progress, State

MEMBER_STEPS = 100  # steps of progress that a member of a joint model counts for


def tell(progress: Progress | None, step: int, steps: int, words: str) -> None:
    """Report progress to a callback, unless that is None: it is called with a dictionary of step,
    how many steps are done, from 0, steps, how many there are in all, and words on the current
    one."""
    if progress is not None:
        progress({"step": step, "steps": steps, "words": words})


def of_member(progress: Progress | None, place: int, members: int, name: str) -> Progress | None:
    """A callback for one member's fit that reports its progress as a part of that of all members;
    None if progress is. place: the member's index, from 0; members: how many there are; name: of
    its model."""
    if progress is None:
        return None

    def progress_of_member(state: State) -> None:
        """Report a member's state, with step, steps and words by name, as that of all members."""
        done = MEMBER_STEPS * state["step"] // state["steps"]
        words = state["words"] if state["words"] == name else f"{name}: {state['words']}"
        tell(progress, MEMBER_STEPS * place + done, MEMBER_STEPS * members, words)

    return progress_of_member


def to_the_reader(state: State) -> None:
    """A progress callback for fits that shows progress in the way in which the reading of data is
    shown: a notice that begins anew at step 0. state: with step, steps (above 0) and words."""
    part = state["step"] / state["steps"]
    line = f"{100 * part:3.0f} %  learning what is usual: {state['words']}"
    notices.advance(state["step"] == 0, line)


class Steps:
    """Counts the steps of a fit that takes several models of one kind, and reports each to a
    callback, unless that is None, in hundredths of all."""

    def __init__(self, progress: Progress | None, name: str) -> None:
        """Report that no step is done yet. name: of the model, the words of each report."""
        self._progress = progress
        self._name = name
        self._done = 0
        self._steps = 1
        self._report()

    def expect(self, steps: int) -> None:
        """Set how many steps there are in all, those that are done already among them; until then
        it is 1. Nothing is reported."""
        self._steps = max(steps, self._done)

    def advance(self) -> None:
        """Report that one more step is done."""
        self._done += 1
        self._report()

    def end(self) -> None:
        """Report that all steps are done, however many were expected."""
        self._done = self._steps
        self._report()

    def _report(self) -> None:
        """Report how many hundredths of all expected steps are done."""
        # in hundredths, as how many steps there are is not known from the first; and a step more
        # than expected never makes more than all
        done = min(100, 100 * self._done // self._steps)
        tell(self._progress, done, 100, self._name)
