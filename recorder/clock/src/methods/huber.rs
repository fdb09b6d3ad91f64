//! The robust line of pyxdf: Huber regression by ADMM, in the operations of its `_robust_fit`.
//!
//! Minimises half the sum of Huber's function (threshold 1) of `a + b x - y`: Boyd and others,
//! "Distributed Optimization and Statistical Learning via ADMM" (2010), section 6.1.
//!
//! Where many offsets are outliers the iteration converges slowly, and then it amplifies the rounding
//! of every single operation: with offsets of 1e5 s to 1e-8 s, with offsets between a unix clock and one
//! that counts from boot (1.7e9 s) to 0.5 ms. To agree with pyxdf there, the sums are added up in the
//! order of numpy's linear algebra (`OpenBLAS` on x86-64 with fused multiply-add: found by experiment).
//! On other processors pyxdf itself gives other digits.

/// How many times the iteration is run: pyxdf's `iters`.
const ITERATIONS: usize = 1000;
/// Length of the blocks in which the normal matrix is summed.
const BLOCK: usize = 384;

/// The normal matrix has no Cholesky factor: what makes numpy raise `LinAlgError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Singular;

/// Intercept and slope of the robust line through `(x, y)`. The two must be equally long and hold at
/// least one point; `y` in units in which residuals above 1 count as outliers.
///
/// # Errors
/// [`Singular`] where the `x` do not determine a line.
pub(crate) fn huber_line(x: &[f64], y: &[f64]) -> Result<(f64, f64), Singular> {
    let origin = x.iter().copied().fold(f64::INFINITY, f64::min);
    let x: Vec<f64> = x.iter().map(|x| x - origin).collect();
    let factor = Factor::of(&x)?;
    let sums_y = sums(&x, y);
    let mut line = [0.0, 0.0];
    // The names of the paper: z is the split residual, u the scaled dual variable.
    let mut z_minus_u = vec![0.0; y.len()];
    let mut u = vec![0.0; y.len()];
    for _ in 0..ITERATIONS {
        let pull = sums(&x, &z_minus_u);
        let next = factor.solve([sums_y[0] + pull[0], sums_y[1] + pull[1]]);
        let mut moved = next != line;
        line = next;
        for (i, (x, y)) in x.iter().zip(y).enumerate() {
            let d = (line[0] + x * line[1]) - y + u[i];
            let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
            let kept = (1.0 - 2.0 * inverse.abs()).max(0.0);
            let z = 0.5 * d + 0.5 * kept * d;
            let dual = d - z;
            moved |= dual != u[i];
            u[i] = dual;
            z_minus_u[i] = z - dual;
        }
        // A fixed point to the last bit: all further iterations would repeat it.
        if !moved {
            break;
        }
    }
    Ok((line[0] - line[1] * origin, line[1]))
}

/// Sums of `v` and of `x * v`, in pairs.
fn sums(x: &[f64], v: &[f64]) -> [f64; 2] {
    let paired = x.len() & !3;
    let (mut plain, mut weighted) = (0.0, 0.0);
    for (x, v) in x[..paired].chunks_exact(2).zip(v[..paired].chunks_exact(2)) {
        plain += v[0] + v[1];
        weighted += x[0].mul_add(v[0], x[1] * v[1]);
    }
    for (x, v) in x[paired..].iter().zip(&v[paired..]) {
        plain += v;
        weighted = x.mul_add(*v, weighted);
    }
    [plain, weighted]
}

/// Lower Cholesky factor of the normal matrix.
struct Factor {
    l00: f64,
    l10: f64,
    l11: f64,
}

impl Factor {
    fn of(x: &[f64]) -> Result<Self, Singular> {
        let (mut sum, mut square) = (0.0, 0.0);
        let mut rest = x;
        while !rest.is_empty() {
            let length = match rest.len() {
                n if n >= 2 * BLOCK => BLOCK,
                n if n > BLOCK => n.div_ceil(2),
                n => n,
            };
            let (block, after) = rest.split_at(length);
            sum += block.iter().fold(0.0, |sum, x| sum + x);
            square += block.iter().fold(0.0, |square, x| x.mul_add(*x, square));
            rest = after;
        }
        let l00 = (x.len() as f64).sqrt();
        let l10 = sum * (1.0 / l00);
        let rest = square - l10 * l10;
        // NaN fails too.
        if rest > 0.0 { Ok(Self { l00, l10, l11: rest.sqrt() }) } else { Err(Singular) }
    }

    /// Solve for the line. Both triangles are solved as general systems with pivoting, which is what
    /// pyxdf asks numpy to do.
    fn solve(&self, sums: [f64; 2]) -> [f64; 2] {
        let Self { l00, l10, l11 } = *self;
        let (first, second) = if l10.abs() > l00.abs() {
            let ratio = l00 * (1.0 / l10);
            let second = (-ratio).mul_add(sums[1], sums[0]) / (-ratio * l11);
            ((-l11).mul_add(second, sums[1]) / l10, second)
        } else {
            let ratio = l10 * (1.0 / l00);
            (sums[0] / l00, (-ratio).mul_add(sums[0], sums[1]) / l11)
        };
        let slope = second / l11;
        [(-l10).mul_add(slope, first) / l00, slope]
    }
}
