"""Every figure of the README by one command; training of what ships. Beside the product, never imported by it."""
