"""Who may ask for what: one guard for each API, between the dispatcher and the handler."""
