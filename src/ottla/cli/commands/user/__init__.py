"""Users with passwords for SASL/SCRAM."""
