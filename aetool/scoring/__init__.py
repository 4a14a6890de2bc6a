"""Scoring: how records of any source become scores, flags and reasons, by a model or an archive."""
