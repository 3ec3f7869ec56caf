"""Which node owns which item: pure functions of a job's name, its number of items and the members."""
