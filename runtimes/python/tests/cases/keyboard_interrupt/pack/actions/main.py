"""As after Ctrl-C."""

raise KeyboardInterrupt
