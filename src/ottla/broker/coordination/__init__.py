"""Coordinators: cores whose state is kept in an internal topic, and the loop that runs them."""
