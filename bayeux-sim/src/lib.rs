//! A seeded network of nodes, for tests of what many machines do together.
