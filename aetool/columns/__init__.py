"""What the columns of a table are: one class for each kind, how it is read, modelled and shown."""
