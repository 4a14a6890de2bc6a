"""Columns and arrays in the types of their source: Arrow and numpy to whole numbers, and back.

    bounding    what may be changed within a bound, proved by exact arithmetic
    numbers     whole numbers and floats of any width
    cells       text and bytes
    arrow       a class for each kind of Arrow column, and whole batches
    schemas     an Arrow schema as JSON
    tensors     numpy arrays of any number of dimensions

A type is decided once, by the source's schema or header, never by what a batch happens to hold.
"""
