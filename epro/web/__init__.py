"""The pages: each parses, calls a verb or a look, and answers. No page holds a rule."""
