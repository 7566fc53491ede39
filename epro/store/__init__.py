"""The database: its tables, its connections, the audit trail, and contact data under keys."""
