"""Telephone calls: from the first ring to the record that is kept."""
