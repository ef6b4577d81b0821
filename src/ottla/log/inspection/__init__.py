"""Looking at the files of a log from outside: what is in them, what is wrong, how to mend it.

Nothing here trusts a file. Pure over `base.world.Disk`; only `repair` writes.
"""
