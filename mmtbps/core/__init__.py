"""What everything stands on; imports nothing of the package."""
