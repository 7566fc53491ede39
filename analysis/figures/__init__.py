"""Every figure of the report, as SVG whose text stays text and as PNG."""
