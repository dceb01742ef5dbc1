"""Pure kernels shared by the capabilities: arrays and values in, values out."""
