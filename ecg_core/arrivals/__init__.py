"""What comes in: a look at an inbox, uploads, DICOM, and where every file stands. Nothing is scored here."""
