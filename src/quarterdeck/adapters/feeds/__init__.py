"""Where market data comes from: files in, slices out.

``files`` reads CSV and Parquet into ``Bars`` and refuses what is not true; ``replay`` serves bars
slice by slice with random access. Neither paces anything: speed and pause belong to the runtime.
"""
