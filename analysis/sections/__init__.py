"""What the report says about each subject: in which words, tables and figures, and what could not be estimated."""
