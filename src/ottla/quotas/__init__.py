"""How much each client may use: rates over windows, which quota applies to whom, how long to wait.

Knows no clock: time comes in as milliseconds that only grow.
"""
