"""What a broker tells of itself in numbers, made from its state when somebody asks.

Nothing here is imported before `ottla.http.listeners` is set, and nothing of it is on the hot path.
"""
