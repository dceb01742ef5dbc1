"""What must be true of a deck at any moment: the rules, and the second book they are held against.

The simulation holds all of them after every step; a real deck holds those on the whole state at its
start and, a little at a time, while it runs.
"""
