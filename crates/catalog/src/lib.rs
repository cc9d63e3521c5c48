//! The database of accounts, settings, exchanges, captures, tickets, grants, key pages and audit rows.
