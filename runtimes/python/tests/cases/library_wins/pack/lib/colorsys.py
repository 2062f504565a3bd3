NAME = "colours of the pack"
