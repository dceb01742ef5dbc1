"""The composition root: the only folder that knows every part.

``plan`` is what one start is to run, ``parts`` the eight capabilities, ``front`` what faces people and
agents, ``deck`` the whole: its two lists are the order of a slice and the order of the start.
"""
