"""What tests need: worlds in memory that fail on request. Shipped, for users too."""
