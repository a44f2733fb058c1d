//! The report as a picture: for each contestant a bar of its time on a logarithmic scale, with the
//! quartiles. The output is plain SVG, of rectangles and text.

use std::fmt::Write;

use crate::harness::{Contestant, Role, Row};

const WIDTH: f64 = 900.0;
/// The left end of the bars, and the right end of the longest.
const BARS: (f64, f64) = (340.0, 790.0);
const BAR: f64 = 18.0;

/// All rows, one under the other.
pub(crate) fn svg(rows: &[Row]) -> String {
    let mut body = String::new();
    text(
        &mut body,
        10.0,
        22.0,
        "start",
        "normal",
        "orange: libjos; grey: what the memory alone allows; line: the middle half of the turns",
    );
    let mut y = 36.0;
    for row in rows {
        y = draw_row(&mut body, row, y) + 14.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" \
         viewBox=\"0 0 {WIDTH} {y}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// Draws `row` from `y` down, and returns where it ends.
fn draw_row(svg: &mut String, row: &Row, mut y: f64) -> f64 {
    let unit = if row.unit == 1.0 { "ns" } else { "us" };
    let mut contestants: Vec<&Contestant> = row.contestants.iter().collect();
    contestants.sort_by(|a, b| a.median().total_cmp(&b.median()));
    let least = contestants.iter().map(|c| c.quantile(0.25)).fold(f64::INFINITY, f64::min);
    let most = contestants.iter().map(|c| c.quantile(0.75)).fold(0.0, f64::max);
    // A logarithmic scale has no 0, so begin below the shortest time.
    let (low, high) = ((least / 1.6).max(1e-3).ln(), most.max(1e-2).ln());
    let x = |time: f64| {
        BARS.0 + (BARS.1 - BARS.0) * ((time.max(1e-3).ln() - low) / (high - low)).clamp(0.0, 1.0)
    };

    text(svg, 10.0, y + 12.0, "start", "bold", &format!("{} ({unit}, logarithmic)", row.title));
    y += 20.0;
    for contestant in contestants {
        let (from, median, to) =
            (x(contestant.quantile(0.25)), x(contestant.median()), x(contestant.quantile(0.75)));
        let colour = match contestant.role {
            Role::Limit => "#999999",
            Role::Libjos => "#d55e00",
            Role::Aside => "#f0c090",
            Role::Peer => "#56b4e9",
        };
        rect(svg, BARS.0, y + 2.0, median - BARS.0, BAR - 4.0, colour);
        rect(svg, from, y + BAR / 2.0 - 0.5, to - from, 1.0, "black");
        text(svg, BARS.0 - 6.0, y + 13.0, "end", "normal", contestant.name);
        let time = format!("{:.2}", contestant.median() / row.unit);
        text(svg, to.max(median) + 5.0, y + 13.0, "start", "normal", &time);
        y += BAR;
    }
    y
}

fn rect(svg: &mut String, x: f64, y: f64, width: f64, height: f64, fill: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, weight: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\">{words}</text>"
    );
}
