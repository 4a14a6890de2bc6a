"""Integers to bytes and back: entropy coder, streams, and the .aez container."""
