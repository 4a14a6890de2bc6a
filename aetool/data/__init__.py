"""Files to typed columns to arrays, and back."""
