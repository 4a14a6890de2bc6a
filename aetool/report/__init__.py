"""What was found, to be shown: drawings and pages that need nothing but themselves."""
