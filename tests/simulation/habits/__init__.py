"""Functions of nodes and stores as they would be without one of the protocol's guards: put in the place of the real
ones for as long as a test lasts.
"""
