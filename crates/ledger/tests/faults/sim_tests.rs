//! The simulated disk held to its own contract.
