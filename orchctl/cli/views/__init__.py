"""Values in, text out. The only place that draws."""
