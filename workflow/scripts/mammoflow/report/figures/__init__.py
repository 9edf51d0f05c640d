"""Figures 1 to 5, a module each; what they share lies in `style` and `mammogram`."""
