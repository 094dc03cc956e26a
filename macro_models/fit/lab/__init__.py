"""Tables as laboratories have them, made into a header and rows of fields in plain notation."""
