"""The machine this runs on: its clocks, its service manager, its name."""
