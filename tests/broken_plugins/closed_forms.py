"""Closed forms that are wrong. The line that must be named ends with: # fault"""

import numpy as np

from aetool.closed_form import ClosedForm, Solution


class Sum(Solution):
    """A code of one number, and what it stands for."""

    def __init__(self, spec, weight):
        self.weight, self.features = weight, spec.features
        self.deviation = np.ones(len(spec.numeric))
        self.prior = np.full(spec.features, 0.5)

    def encode(self, g, x):
        return x @ self.weight

    def decode(self, g, z):
        return z @ np.ones((1, self.features))


class NoSolution(ClosedForm):
    def fit(self, batches):  # fault
        return sum(len(batch) for batch in batches)


class ChangesBatches(ClosedForm):
    def fit(self, batches):  # fault
        for batch in batches:
            batch -= batch.mean(axis=0)
        return Sum(self.spec, np.ones((self.spec.features, 1)))


class ConstantForm(ClosedForm):
    class Nought(Sum):
        def encode(self, g, x):  # fault
            return super().encode(g, x) * 0.0

    def fit(self, batches):
        return self.Nought(self.spec, np.ones((self.spec.features, 1)))


class ArrayForm(ClosedForm):
    class Array(Sum):
        def decode(self, g, z):  # fault
            return np.ones((1, self.features))

    def fit(self, batches):
        return self.Array(self.spec, np.ones((self.spec.features, 1)))


class NarrowForm(ClosedForm):
    class Narrow(Sum):
        def parts(self, g, x):  # fault
            return g.columns_of(super().parts(g, x), [0, 1])

    def fit(self, batches):
        return self.Narrow(self.spec, np.ones((self.spec.features, 1)))


class UnfittingForm(ClosedForm):
    class Unfitting(Sum):
        def decode(self, g, z):
            return z @ np.ones((2, self.features))  # fault

    def fit(self, batches):
        return self.Unfitting(self.spec, np.ones((self.spec.features, 1)))


class MixingForm(ClosedForm):
    class Mixing(Sum):
        def parts(self, g, x):  # fault
            parts = super().parts(g, x)
            return parts + g.op("ReduceMax", parts, g.const([0], np.int64), keepdims=1)

    def fit(self, batches):
        return self.Mixing(self.spec, np.ones((self.spec.features, 1)))


class RefusedForm(ClosedForm):
    class Refused(Sum):
        def parts(self, g, x):
            parts = super().parts(g, x)
            return parts + g.op("RandomNormalLike", parts)  # fault

    def fit(self, batches):
        return self.Refused(self.spec, np.ones((self.spec.features, 1)))


class SurprisingForm(ClosedForm):
    class Surprising(Sum):
        def surprise(self, g, x):  # fault
            return self.parts(g, x)

    def fit(self, batches):
        return self.Surprising(self.spec, np.ones((self.spec.features, 1)))


class CodelessForm(ClosedForm):
    class Codeless(Solution):
        def expekted(self, g, x):  # fault
            return x

    def fit(self, batches):
        return self.Codeless()


class NumberlessForm(ClosedForm):
    class Numberless(Solution):
        def expected(self, g, x):
            return x

    def fit(self, batches):  # fault
        return self.Numberless()


class WrongFit(ClosedForm):
    def fit(self, batches, epochs):  # fault
        return Sum(self.spec, np.ones((self.spec.features, 1)))
