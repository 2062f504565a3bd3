"""`make bench`: what a Python action costs through the whole product, and what it is worth."""
