"""From parts to decisions: calibration, thresholds, p-values, reasons."""
