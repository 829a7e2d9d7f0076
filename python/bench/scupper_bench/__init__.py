"""The rows of Python: both packages in one run, on the same requests."""
