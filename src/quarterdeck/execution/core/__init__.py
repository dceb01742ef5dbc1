"""What execution decides, as pure functions of integers: amounts, controls, gate, venue, ledger."""
