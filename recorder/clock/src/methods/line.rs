//! A straight piece of a map, from the points behind it.

use super::errors::Errors;
use super::points::Point;
use crate::{History, Piece, Shape};

/// The piece that `intercept_s + slope * device` makes of its points (at least one).
pub(crate) fn piece(points: &[Point], (intercept_s, slope): (f64, f64), history: &History) -> Piece {
    let residuals_s: Vec<f64> =
        points.iter().map(|p| p.offset_s - (intercept_s + slope * p.device_s)).collect();
    let errors = Errors::of_line(points, &residuals_s, history);
    with_errors(points, Shape::Line { intercept_s, slope }, errors)
}

/// The same with errors that are known otherwise.
pub(crate) fn with_errors(points: &[Point], shape: Shape, errors: Errors) -> Piece {
    let span = |of: &dyn Fn(&Point) -> f64| {
        points
            .iter()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    Piece {
        device_span_s: span(&|p| p.device_s),
        host_span_s: span(&|p| p.host_s()),
        shape,
        sigma_s: errors.sigma_s,
        asymmetry_sigma_s: errors.asymmetry_sigma_s,
        bound_s: errors.bound_s,
    }
}
