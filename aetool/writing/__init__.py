"""Writing: records, codes, pictures and drawings to files, for every verb that makes some."""
