"""One file per claim; each runs alone and says what it measured on which machine."""
