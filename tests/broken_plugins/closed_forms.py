"""Closed forms that are wrong. The line that must be named ends with: # fault"""

import numpy as np

from aetool.closed_form import ClosedForm
from aetool.hidden import Hidden


def hidden(spec, weight):
    """A solution of one hidden unit."""
    decoder, numbers = np.ones((1, spec.features)), np.ones(len(spec.numeric))
    prior = np.full(spec.features, 0.5)
    return Hidden(weight, np.zeros(1), decoder, np.zeros(spec.features), numbers, prior)


class NoSolution(ClosedForm):
    def fit(self, batches):  # fault
        return sum(len(batch) for batch in batches)


class ChangesBatches(ClosedForm):
    def fit(self, batches):  # fault
        for batch in batches:
            batch -= batch.mean(axis=0)
        return hidden(self.spec, np.ones((self.spec.features, 1)))


class ConstantForm(ClosedForm):
    def fit(self, batches):  # fault
        return hidden(self.spec, np.zeros((self.spec.features, 1)))


class WrongFit(ClosedForm):
    def fit(self, batches, epochs):  # fault
        return hidden(self.spec, np.ones((self.spec.features, 1)))
