"""Limits of what users, clients and addresses may ask for."""
