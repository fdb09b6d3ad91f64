//! Floats without a fraction become integers.

use serde_json::Value;

/// Largest whole number up to which every f64 is exact: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Turns floats without a fraction into integers: JSON Schema takes 5.0 for an integer, but
/// typed readers in plugins do not.
pub(super) fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(f64::NAN);
            let negative_zero = float == 0.0 && float.is_sign_negative();
            if float.fract() == 0.0 && float.abs() <= WHOLE_MAX && !negative_zero {
                #[allow(clippy::cast_possible_truncation)] // whole and within 2^53
                let whole = float as i64;
                *value = Value::from(whole);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(whole_numbers),
        Value::Object(table) => table.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_exact_whole_floats_change() {
        let mut value = json!({"a": 5.0, "b": [0.5, -2.0], "c": 1e300, "d": -0.0});
        whole_numbers(&mut value);
        assert_eq!(value, json!({"a": 5, "b": [0.5, -2], "c": 1e300, "d": -0.0}));
    }
}
