//! Spool, segments and object stores for sealed bodies.
