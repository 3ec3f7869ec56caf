"""The pure heart: what jobs are, when they fire, who owns them. No I/O, no clocks, no threads, no logging."""
