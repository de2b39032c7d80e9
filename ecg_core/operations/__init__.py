"""The platform looked after: alerts, metrics, doctor, backup, upkeep, and the process that does so unasked."""
