"""The live wire: committed messages become topics, and topics reach every client at its own pace.

Nothing is queued for a client: each holds positions in rings that all share, so a slow one costs
nobody anything. It catches up, is given a fresh snapshot, or is told to come back.
"""
