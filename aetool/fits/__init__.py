"""Fits: data become features, one model or several are fitted on them, and become a bundle."""
