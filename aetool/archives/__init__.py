"""How archives are made: data as archives take them, the ways to store them, the smallest."""
