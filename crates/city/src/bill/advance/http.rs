//! Routes
