//! Lockstep source plugin: any device or program that sends UDP datagrams becomes a stream by
//! configuration alone.
//!
//! Data flows one way: socket (`source`) -> datagram (`pipeline`) -> samples (`decode`) ->
//! order (`sequence`) -> time (`stamp`) -> recorder (`sink`). Everything but the sockets is
//! pure and is tested without them.
#![deny(unsafe_code)]

mod decode;
mod layout;
mod options;
mod sequence;
mod stamp;
mod wrap;
