//! Configurations of other recorders, as ours. Text in, text out: nothing here touches the disk.

pub mod labrecorder;
mod pattern;
mod qsettings;
mod write;
