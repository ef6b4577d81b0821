"""The broker: an asyncio shell around the cores, one event loop, no thread beside it."""
