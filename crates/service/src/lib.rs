//! The use cases: capture, read, shred, expire, redact again, tickets, settings.
