"""The books the pictures come from: identifiers, metadata, links, and other research tables."""
