//! Simulated glasses, asked over their sockets.
