"""Value types every part of the house shares; imports nothing of ours."""
