"""The composition root: settings become running services; only here are real parts named."""
