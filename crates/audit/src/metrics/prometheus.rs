//! The text that Prometheus scrapes (text exposition format 0.0.4).

use std::fmt::Write as _;

use super::Metrics;
use super::family::{Family, Kind, Labels, Value};

impl Metrics {
    /// All metrics as Prometheus scrapes them: answer with the type `text/plain; version=0.0.4`.
    ///
    /// ```
    /// let text = audit::metrics::Metrics::new().prometheus();
    /// assert!(text.contains("# TYPE rtauth_ws_connections gauge\nrtauth_ws_connections{end=\"client\",state=\"authenticated\"} 0\n"));
    /// ```
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        for family in self.families().filter(|family| !family.series.is_empty()) {
            // Writing to a string can't fail.
            let _ = render(&mut text, &family);
        }
        text
    }
}

fn render(text: &mut String, family: &Family) -> std::fmt::Result {
    let (kind, ending) = match family.kind {
        Kind::Counter => ("counter", "_total"),
        Kind::Gauge if family.name.ends_with(family.unit) => ("gauge", ""),
        Kind::Gauge => ("gauge", family.unit),
        Kind::Histogram => ("histogram", family.unit),
    };
    let separator = if ending.is_empty() || ending.starts_with('_') { "" } else { "_" };
    let name = format!("rtauth_{}{separator}{ending}", family.name);
    writeln!(text, "# HELP {name} {}", family.help)?;
    writeln!(text, "# TYPE {name} {kind}")?;
    for (labels, value) in &family.series {
        match value {
            Value::Number(number) => sample(text, &name, labels, None, number)?,
            Value::Spread(spread) => {
                let bucket = format!("{name}_bucket");
                for (bound, count) in &spread.buckets {
                    sample(text, &bucket, labels, Some(&bound.to_string()), count)?;
                }
                sample(text, &bucket, labels, Some("+Inf"), &spread.count)?;
                sample(text, &format!("{name}_sum"), labels, None, &spread.sum)?;
                sample(text, &format!("{name}_count"), labels, None, &spread.count)?;
            }
        }
    }
    Ok(())
}

fn sample(
    text: &mut String,
    name: &str,
    labels: &Labels,
    bound: Option<&str>,
    value: &dyn std::fmt::Display,
) -> std::fmt::Result {
    text.push_str(name);
    let labels = labels.iter().map(|(name, value)| (*name, &**value)).chain(bound.map(|bound| ("le", bound)));
    let mut separator = '{';
    for (name, value) in labels {
        write!(text, "{separator}{name}=\"")?;
        for character in value.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
        separator = ',';
    }
    if separator == ',' {
        text.push('}');
    }
    writeln!(text, " {value}")
}
