"""What each lane does with the actions it gathered: one port each, no decisions."""
