"""What people ask of stored readings: pages, reviews, patients, exports, cards of versions, and to be forgotten."""
