"""Fits: records laid out as features, one model or several fitted on them, and their bundle."""
