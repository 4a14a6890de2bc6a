"""Notations: how the cells of a column of text are written, told from evidence, and by which every
cell is read."""
