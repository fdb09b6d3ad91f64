//! Numbers as people read them.

/// 1234567 as `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes with a decimal prefix, three digits: `412 MB`.
pub fn bytes(n: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = n;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} {}", units[0]) } else { format!("{} {}", three(value), units[unit]) }
}

/// Three digits: `4.13`, `41.3`, `413`.
fn three(value: f64) -> String {
    let digits = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.digits$}")
}

/// Elapsed time: `00:24:31`.
pub fn clock_time(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// How long something lasts, in the two largest units: `7 d 14 h`, `3 min 20 s`.
pub fn lasting(seconds: f64) -> String {
    let s = seconds.max(0.0);
    if !s.is_finite() || s >= 100.0 * 365.0 * 86400.0 {
        return "for years".to_owned();
    }
    let s = s as u64;
    let (d, h, min) = (s / 86400, s / 3600 % 24, s / 60 % 60);
    match (d, h, min) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{min} min {} s", s % 60),
        (0, ..) => format!("{h} h {min} min"),
        _ => format!("{d} d {h} h"),
    }
}

/// Seconds since something: `0.01 s`, `2.4 s`, `3 min 20 s`.
pub fn age(seconds: f64) -> String {
    if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else if seconds < 60.0 {
        format!("{seconds:.0} s")
    } else {
        lasting(seconds)
    }
}

/// A short time in the unit that suits it: `12 us`, `0.31 ms`, `1.25 s`.
pub fn short_time(seconds: f64) -> String {
    let magnitude = seconds.abs();
    if magnitude < 99.5e-6 {
        format!("{:.0} us", seconds * 1e6)
    } else if magnitude < 0.0995 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

/// A rate: three digits after the point where it is low, one where it is high.
pub fn rate(hz: f64) -> String {
    if hz != 0.0 && hz < 10.0 { format!("{hz:.3}") } else { format!("{hz:.1}") }
}

/// A nominal rate, without trailing zeros.
pub fn nominal(hz: f64) -> String {
    format!("{}", (hz * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([count(0), count(999), count(1000), count(1234567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(0.0), bytes(999.0), bytes(1000.0)], ["0 B", "999 B", "1.00 kB"]);
        assert_eq!(
            [bytes(412_600_000.0), bytes(99_960.0), bytes(999_600.0)],
            ["413 MB", "100 kB", "1.00 MB"]
        );
        assert_eq!(clock_time(1471.9), "00:24:31");
        assert_eq!(
            [lasting(5.0), lasting(200.0), lasting(655_200.0), lasting(f64::INFINITY)],
            ["5 s", "3 min 20 s", "7 d 14 h", "for years"]
        );
        assert_eq!([age(0.012), age(12.4), age(200.0)], ["0.01 s", "12 s", "3 min 20 s"]);
        assert_eq!(
            [short_time(12e-6), short_time(0.00031), short_time(-1.25)],
            ["12 us", "0.31 ms", "-1.25 s"]
        );
        assert_eq!([rate(0.0), rate(0.5), rate(99.96)], ["0.0", "0.500", "100.0"]);
        assert_eq!([nominal(250.0), nominal(59.94)], ["250", "59.94"]);
    }
}
