"""Who may do what: ACLs, SCRAM credentials and delegation tokens, as arithmetic and matching."""
