"""Short stories for guards that storms meet too seldom."""
