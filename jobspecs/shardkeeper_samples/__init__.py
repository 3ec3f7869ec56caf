"""Task classes of the sample jobs: copy this package as a start for your own.

It imports nothing of Shardkeeper but what tasks are written with. A node finds it as Python finds modules
(PYTHONPATH), and runs it because
``tasks.allowed_modules`` names it.
"""
