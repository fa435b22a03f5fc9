//! The pane of a run's device: how busy, memory with its peak, temperature, power; and how long the run still takes.

use crate::record::RunDetail;
use crate::ui::text::{duration, fit};
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Columns of the names.
const NAMES: usize = 13;

pub fn draw(frame: &mut Frame, area: Rect, detail: &RunDetail, theme: &Theme) {
    let width = area.width as usize;
    // A text that is too long, as a card's name, goes on below.
    let lines = |(name, text): (String, String)| {
        let name = Span::styled(format!("{:NAMES$} ", fit(&harmless(&name), NAMES)), theme.faint());
        let text = harmless(&text);
        let rows = textwrap::wrap(&text, width.saturating_sub(NAMES + 1).max(1)).into_iter();
        let rows: Vec<Span> = rows.map(|row| Span::raw(row.into_owned())).collect();
        let names = std::iter::once(name).chain(std::iter::repeat(Span::raw(" ".repeat(NAMES + 1))));
        names.zip(rows).map(|(name, row)| Line::from(vec![name, row])).collect::<Vec<_>>()
    };
    let lines: Vec<Line> = rows(detail).into_iter().flat_map(lines).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// Names and values; what the device does not tell has no row.
fn rows(detail: &RunDetail) -> Vec<(String, String)> {
    let run = &detail.summary;
    let on_gpu = run.spec.device != "cpu";
    let gib = |bytes: u64| format!("{:.2} GiB", bytes as f64 / f64::from(1u32 << 30));
    // What a started run says of itself has the card's name too.
    let environment = &run.facts.environment;
    let device = environment.get("device").unwrap_or(&run.spec.device);
    let mut rows = vec![("device".to_string(), device.clone())];
    let mut row = |name: &str, text: Option<String>| rows.extend(text.map(|t| (name.to_string(), t)));
    if let Some(device) = detail.device {
        row("utilisation", device.utilisation.filter(|_| on_gpu).map(|u| format!("{} {:3.0}%", bar(u), 100.0 * u)));
        let name = if on_gpu { "memory" } else { "host memory" };
        row(name, Some(format!("{} of {}", gib(device.memory), gib(device.memory_total))));
        row("peak memory", detail.peak_memory.map(gib));
        row("temperature", device.temperature.map(|t| format!("{t:.0} °C")));
        row("power", device.power.map(|w| format!("{w:.0} W")));
    }
    row("trained for", Some(duration(run.seconds)));
    row("time left", run.eta().map(duration));
    for (name, value) in environment.iter().filter(|(name, _)| *name != "device") {
        row(name, Some(value.clone()));
    }
    rows
}

fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * 10.0).round() as usize;
    format!("{}{}", "━".repeat(full), "─".repeat(10 - full))
}
