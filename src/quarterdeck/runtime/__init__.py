"""What every capability runs on: the sequencer of steps, the journal, clocks, health and stop."""
