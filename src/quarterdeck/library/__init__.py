"""The analytics as a library: cores composed for files and arrays.

It says nothing and hears nothing: every function takes arrays or a file and returns a small frozen
result. It asks ``adapters.feeds`` for files and the capabilities' cores for numbers. It keeps no
state. ``quarterdeck`` re-exports it lazily.
"""
