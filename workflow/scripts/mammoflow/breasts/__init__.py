"""From a decoded mammogram to the stored breast."""
