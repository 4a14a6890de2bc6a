"""How the cells of a column are written: what its evidence says, then how every cell is read."""
