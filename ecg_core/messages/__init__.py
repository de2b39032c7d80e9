"""One outbox for all that leaves the platform by itself: alerts, notices to readers, results into other systems."""
