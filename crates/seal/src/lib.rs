//! Compresses and encrypts a redacted body under a key of its own.
