"""The outside world fitted to the house's ports: feeds, brokers, notifiers."""
