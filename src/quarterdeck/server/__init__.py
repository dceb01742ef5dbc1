"""The server: how people and agents outside the process reach the deck.

It asks through two ports only, commands and views, so a REST route, an MCP tool and a live topic
are thin skins on the same operations. It hears committed messages from the bus and hands them to
whoever watches; nobody who watches can slow a step. It says nothing inside a step, except that the
crew's turns (``desk/turns.py``) are taken there. It keeps sessions and one-time tokens in memory,
the crew's memories and the highest total equity in the journal.
"""
