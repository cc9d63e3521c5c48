//! The HTTP face of Oubliette.
