//! Names of what a tracker sends.

use serde::{Deserialize, Serialize};

/// What a client can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // they are the names of the libraries
pub enum Stream {
    GazePoint,
    GazeOrigin,
    EyePositionNormalized,
    UserPresence,
    HeadPose,
    Notifications,
    UserPositionGuide,
    GazeData,
    DigitalSyncport,
    EyeOpenness,
}

impl Stream {
    /// Whether it takes a professional licence.
    pub const fn is_professional(self) -> bool {
        matches!(self, Self::GazeData | Self::DigitalSyncport | Self::EyeOpenness)
    }
}

/// What a notification is about, in the order of the Stream Engine's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NotificationKind {
    CalibrationState,
    ExclusiveMode,
    TrackBox,
    DisplayArea,
    Framerate,
    PowerSave,
    DevicePaused,
    CalibrationEnabledEye,
    CalibrationId,
    CombinedGazeEyeSelection,
    Faults,
    Warnings,
    FaceType,
    CalibrationActive,
}

/// Which of the values of a notification says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NotificationValue {
    None,
    Float,
    State,
    DisplayArea,
    Uint,
    EnabledEye,
    Text,
}

impl NotificationKind {
    /// What kind of value it has.
    pub const fn value(self) -> NotificationValue {
        match self {
            Self::TrackBox => NotificationValue::None,
            Self::Framerate => NotificationValue::Float,
            Self::DisplayArea => NotificationValue::DisplayArea,
            Self::CalibrationId | Self::FaceType => NotificationValue::Uint,
            Self::CalibrationEnabledEye | Self::CombinedGazeEyeSelection => NotificationValue::EnabledEye,
            Self::Faults | Self::Warnings => NotificationValue::Text,
            Self::CalibrationState
            | Self::ExclusiveMode
            | Self::PowerSave
            | Self::DevicePaused
            | Self::CalibrationActive => NotificationValue::State,
        }
    }
}
