//! How cost grows with work: one SVG for each subject that was measured at several sizes, both axes logarithmic; and how a thing goes
//! over time, both axes linear.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::report::Line;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 60.0;

/// Writes the plots under `target/bench/`, and says where they are.
pub(crate) fn draw(lines: &[Line]) -> io::Result<Vec<PathBuf>> {
    let mut subjects: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.size.is_some()) {
        subjects.entry(line.subject).or_default().push(line);
    }
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench"));
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let mut paths = Vec::new();
    for (subject, lines) in subjects.into_iter().filter(|(_, lines)| lines.len() > 1) {
        let path = folder.join(format!("{subject}.svg"));
        fs::write(&path, svg(subject, &lines))?;
        paths.push(path);
    }
    for chart in lines.iter().filter_map(|line| line.chart.as_ref()) {
        let path = folder.join(format!("{}.svg", chart.name));
        fs::write(&path, chart.svg())?;
        paths.push(path);
    }
    Ok(paths)
}

/// How something goes over time.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The name of its file.
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) across: &'static str,
    /// Each with its legend.
    pub(crate) series: Vec<(&'static str, Vec<(f64, f64)>)>,
    /// What it should not exceed for long.
    pub(crate) limit: f64,
}

impl Chart {
    fn svg(&self) -> String {
        let Self { name: _, title, across, series, limit } = self;
        let points = || series.iter().flat_map(|(_, points)| points);
        let last = points().map(|(x, _)| *x).fold(1.0, f64::max);
        let highest = points().map(|(_, y)| *y).fold(*limit, f64::max);
        let place = |x: f64, y: f64| {
            let (width, height) = (WIDTH - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN);
            (MARGIN + width * x / last, HEIGHT - MARGIN - height * y / highest)
        };
        let mut svg = begun(title);
        for (value, colour) in [(0.0, "#ddd"), (*limit, "#c00"), (highest, "#ddd")] {
            let ((_, y), right) = (place(0.0, value), WIDTH - MARGIN);
            push(&mut svg, format_args!("<path d=\"M{MARGIN:.0} {y:.1}H{right:.0}\" stroke=\"{colour}\"/>"));
            text(&mut svg, (MARGIN / 2.0, y + 4.0), &value.to_string());
        }
        for tick in 0..=5 {
            let x = last * f64::from(tick) / 5.0;
            text(&mut svg, (place(x, 0.0).0, HEIGHT - MARGIN / 2.0), &format!("{x:.1}"));
        }
        text(&mut svg, (WIDTH / 2.0, HEIGHT - 10.0), across);
        for ((legend, points), (colour, y)) in series.iter().zip([("#06c", 36), ("#c60", 52)]) {
            let mut corners = String::new();
            for (x, y) in points.iter().map(|(x, y)| place(*x, *y)) {
                push(&mut corners, format_args!("{x:.1},{y:.1}"));
            }
            let style = format_args!("fill=\"none\" stroke=\"{colour}\"");
            push(&mut svg, format_args!("<polyline points=\"{corners}\" {style}/>"));
            push(&mut svg, format_args!("<text x=\"{MARGIN}\" y=\"{y}\" fill=\"{colour}\">{legend}</text>"));
        }
        svg + "</svg>\n"
    }
}

/// An empty sheet with a title.
fn begun(title: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, (WIDTH / 2.0, 20.0), title);
    svg
}

fn svg(subject: &str, lines: &[&Line]) -> String {
    let size = |line: &Line| f64::from(line.size.unwrap_or(1)).log10();
    let across = Axis::over(lines.iter().map(|line| size(line)), MARGIN, WIDTH - MARGIN);
    let costs = lines.iter().flat_map(|line| [line.ours.log10(), line.baseline.log10()]);
    let up = Axis::over(costs, HEIGHT - MARGIN, MARGIN);
    let baseline_name = lines.first().map_or("", |line| line.baseline_name);

    let mut svg = begun(&format!("{subject}: nanoseconds by size"));
    for power in up.powers() {
        let y = up.place(power);
        let right = WIDTH - MARGIN;
        push(&mut svg, format_args!("<path d=\"M{MARGIN:.0} {y:.1}H{right:.0}\" stroke=\"#ddd\"/>"));
        text(&mut svg, (MARGIN / 2.0, y + 4.0), &10f64.powf(power).to_string());
    }
    for line in lines {
        let label = line.size.unwrap_or(1).to_string();
        text(&mut svg, (across.place(size(line)), HEIGHT - MARGIN / 2.0), &label);
    }
    let ours: Vec<_> = lines.iter().map(|line| line.ours).collect();
    let baseline = lines.iter().map(|line| line.baseline).collect();
    for (name, colour, legend, costs) in [("ours", "#06c", 36, ours), (baseline_name, "#c60", 52, baseline)] {
        let mut corners = String::new();
        for (line, cost) in lines.iter().zip(costs) {
            let (x, y) = (across.place(size(line)), up.place(cost.log10()));
            push(&mut corners, format_args!("{x:.1},{y:.1}"));
        }
        let style = format_args!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"");
        push(&mut svg, format_args!("<polyline points=\"{corners}\" {style}/>"));
        push(&mut svg, format_args!("<text x=\"{MARGIN}\" y=\"{legend}\" fill=\"{colour}\">{name}</text>"));
    }
    svg + "</svg>\n"
}

/// Whole powers of ten, from the least to the greatest value, spread over the pixels between two places.
struct Axis {
    least: f64,
    greatest: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(logarithms: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = logarithms.clone().fold(f64::INFINITY, f64::min).floor();
        let greatest = logarithms.fold(least + 1.0, f64::max).ceil();
        Self { least, greatest, from, to }
    }

    fn place(&self, logarithm: f64) -> f64 {
        self.from + (self.to - self.from) * (logarithm - self.least) / (self.greatest - self.least)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        let greatest = self.greatest;
        std::iter::successors(Some(self.least), |power| Some(power + 1.0))
            .take_while(move |power| *power <= greatest)
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), text: &str) {
    push(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{text}</text>"));
}

fn push(svg: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(svg, "{element}");
}
