//! The plot: external fragmentation after each event, a line for each scheme.

use std::error::Error;

use plotters::prelude::*;

use crate::replay::Outcome;

const SIZE: (u32, u32) = (900, 480);

/// Colours that can be told apart (Okabe and Ito, "Color Universal Design", 2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 0, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(213, 94, 0),
];

/// All outcomes in one picture, as SVG.
pub(crate) fn svg(outcomes: &[Outcome]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    draw(&mut svg, outcomes)?;
    Ok(svg)
}

fn draw(svg: &mut String, outcomes: &[Outcome]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let events = outcomes.iter().map(|outcome| outcome.reports.len()).max().unwrap_or(0);
    let mut chart = ChartBuilder::on(&root)
        .caption("external fragmentation of the free frames", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(0..events, 0.0..100.0)?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_desc("events").y_desc("%").draw()?;
    for (outcome, colour) in outcomes.iter().zip(COLOURS.into_iter().cycle()) {
        let points = outcome.reports.iter().enumerate();
        let points = points.map(|(i, report)| (i, 100.0 * report.external_fragmentation()));
        chart
            .draw_series(LineSeries::new(points, colour))?
            .label(outcome.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay;
    use crate::trace::Trace;

    #[test]
    fn every_scheme_has_a_line_and_a_name() {
        let trace = Trace::parse("frames 64\na 3\na 60\nf 0\n").expect("it is sound");
        let outcomes = replay::all(&trace);
        let svg = svg(&outcomes).expect("a String takes all");
        assert!(svg.starts_with("<svg"), "{svg}");
        for outcome in &outcomes {
            assert!(svg.contains(outcome.name), "{}", outcome.name);
        }
        assert!(svg.matches("<polyline").count() >= outcomes.len());
    }
}
