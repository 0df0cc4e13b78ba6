"""Hostile inputs, made by chance from a seed, against what Kiln reads from others: `./inv attack`.

One try is one input to one public function. It ends well, or in an error that a person can read; everything else is a
finding: another exception, a file outside, wrong bytes that were taken, a secret in the output, a process that dies.
"""
