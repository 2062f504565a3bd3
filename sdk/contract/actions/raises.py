raise ValueError("as expected")
