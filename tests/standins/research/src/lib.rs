//! Stands in for the Tobii Pro SDK's C library in tests: its functions, over a simulated eye tracker.
//!
//! Programs that load `libtobii_research.so` run on this one unchanged. The environment variable
//! `LOCKSTEP_TOBII_STANDIN` names a TOML file that says what the tracker is like; its keys are in
//! `recorder/sim/src/tobii/config.rs`. Without it there is a faultless one, and no truth log. The
//! tracker begins with the first subscription, and lives as long as the process.
//!
//! As in the real one, callbacks come on a thread of the library's own, time syncs are made by
//! themselves, and the connection is made again by itself. Written from the public behaviour of the
//! interface; nothing of it is Tobii's code. What is not known was chosen: how often time syncs are
//! made, and that a licence that is revoked silences gaze, eye openness and the external signal.
//!
//! Whatever sets, calibrates or shows pictures answers that it is not supported.

mod abi;
mod info;
mod missing;
mod pump;
mod streams;
mod world;

#[cfg(test)]
mod tests;
