"""Keys, tasks and the scheduling policy: values in, values out."""
