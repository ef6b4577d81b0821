"""What every floor stands on: ids, error codes, limits, the world protocols, discovery."""
