"""The drawn corpus of the demo."""
