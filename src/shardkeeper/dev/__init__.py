"""`shardkeeper dev`: a whole cluster on this machine, to look at and to try things on.

Real servers (`devservers`), real nodes as processes, the jobs of a folder applied, feeds for the sample jobs and a
Slack that is not, watched through the same operations that the command line uses.
"""
