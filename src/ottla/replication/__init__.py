"""Leadership, in-sync replicas and the high watermark: a pure core."""
