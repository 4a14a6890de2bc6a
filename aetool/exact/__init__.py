"""Networks of whole numbers: the same result on every machine, at every batch size."""
