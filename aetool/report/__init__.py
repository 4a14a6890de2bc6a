"""Findings of detection as drawings and pages, which need no other file to be shown."""
