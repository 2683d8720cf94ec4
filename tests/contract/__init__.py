"""The wire: bytes that every implementation must agree on, and the document that describes them."""
