"""Pictures of any size and mode on their way from files to what a model sees."""
