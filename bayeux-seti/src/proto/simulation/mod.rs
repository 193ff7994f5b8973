//! Whole clouds under a clock that only the test moves: the presence of real nodes, joined by a model of a mesh, over
//! a network that fails in every way that a seed can think of.
//!
//! The model has of a mesh what presence can tell: each node dials each other one, what is broadcast goes by the
//! connection that the other has dialled, a node has joined when it is connected in both directions, and has left
//! when it has not been here for a while, which the two see at different times, or one of them alone. What is
//! broadcast while a connection is down is lost, and in some runs some of it at any time. Some of the nodes know no more than CometD's do.

mod member;
mod play;
mod tests;
mod wire;
mod witness;
