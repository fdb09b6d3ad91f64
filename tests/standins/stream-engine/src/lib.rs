//! Stands in for Tobii's Stream Engine in tests: its functions, over a simulated eye tracker.
//!
//! Programs that load `libtobii_stream_engine.so` run on this one unchanged. The environment variable
//! `LOCKSTEP_TOBII_STANDIN` names a TOML file that says what the tracker is like; its keys are in
//! `recorder/sim/src/tobii/config.rs`. Without it there is a faultless one, and no truth log. The
//! tracker begins when a device is opened first, and lives as long as the process.
//!
//! Written from the public behaviour of the interface; nothing of it is Tobii's code. What is not known
//! was chosen: a device whose licence is revoked falls silent; while the connection is lost,
//! `tobii_wait_for_callbacks` returns at once without an error, so that whoever waits processes and is
//! told; one client at a time can open the device; eye openness takes a professional licence.
//!
//! Functions of wearables, of calibration and of setting anything are missing.

mod abi;
mod api;
mod deliver;
mod device;
mod info;
mod streams;
mod world;

#[cfg(test)]
mod tests;
