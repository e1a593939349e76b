"""A provider for warmline that answers by repeating what it is asked."""
