"""Columns and arrays in the types of their source: Arrow and numpy to whole numbers, and back.

    bounding         what may be changed within a bound, proved by exact arithmetic
    numbers          whole numbers and floats of any width
    cells            text and bytes
    books            columns of numbers as ranks in a dictionary of their values
    buffers          Arrow's own buffers as numpy arrays
    arrow            a class for each kind of Arrow column
    batches          whole Arrow batches
    dictionaries     the dictionaries of Arrow's dictionary type
    schemas          an Arrow schema as JSON
    tensors          numpy arrays of any number of dimensions
    extrapolation    smooth fields of floats, predicted by their neighbours

A type is decided once, by the source's schema or header, never by what a batch happens to hold.
"""
