"""A result for other programs: FHIR, JSON, WFDB annotations."""
