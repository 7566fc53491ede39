"""How fast is each part, and for what memory, beside a peer in the same run?"""
