//! Draws plots as SVG.

use crate::cases::format_figure;
use crate::chart::{Bar, Chart, Kind, Line};
use crate::results::is_klamm;
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

const WIDTH: u32 = 860;
/// Where bars begin, and the longest one's length.
const LEFT: i32 = 220;
const LENGTH: f64 = 500.0;
const ROW: i32 = 26;
/// Room for the picture's title, and for a plot's.
const HEAD: i32 = 88;
const TITLE: i32 = 56;
const GROUP: i32 = 30;
const LINES_HEIGHT: i32 = 380;

const INK: RGBColor = RGBColor(38, 38, 46);
const FAINT: RGBColor = RGBColor(118, 118, 130);
const GRID: RGBColor = RGBColor(228, 228, 234);
const KLAMM: RGBColor = RGBColor(226, 88, 34);
/// Klamm's other ways to send.
const KLAMM_TOO: RGBColor = RGBColor(244, 164, 124);
const PEER: RGBColor = RGBColor(150, 168, 192);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a case's plots, one below the other.
pub(crate) fn draw(path: &Path, title: &str, notes: &[String], charts: &[Chart]) -> Result<()> {
    let heights: Vec<i32> = charts.iter().map(height).collect();
    let height = u32::try_from(HEAD + heights.iter().sum::<i32>())?;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    let drawn = (|| {
        root.fill(&WHITE).map_err(said)?;
        text(&root, title, (24, 16), 22, INK, HPos::Left)?;
        for (note, y) in notes.iter().zip((46..).step_by(16)) {
            text(&root, note, (24, y), 11, FAINT, HPos::Left)?;
        }
        let mut rest = root.split_vertically(HEAD).1;
        for (chart, height) in charts.iter().zip(&heights) {
            let (area, below) = rest.split_vertically(*height);
            panel(&area, chart)?;
            rest = below;
        }
        root.present().map_err(said)
    })();
    drawn.map_err(|error: anyhow::Error| error.context(format!("cannot draw {}", path.display())))
}

fn height(chart: &Chart) -> i32 {
    let content = match &chart.kind {
        Kind::Bars(groups) => groups
            .iter()
            .map(|(name, bars)| {
                let bars = i32::try_from(bars.len()).unwrap_or(i32::MAX / ROW);
                bars * ROW + if name.is_empty() { 0 } else { GROUP }
            })
            .sum(),
        Kind::Lines { .. } => LINES_HEIGHT,
    };
    TITLE + content + 18
}

fn panel(area: &Area<'_>, chart: &Chart) -> Result<()> {
    text(area, &chart.title, (24, 8), 16, INK, HPos::Left)?;
    text(area, &chart.better, (24, 30), 12, FAINT, HPos::Left)?;
    match &chart.kind {
        Kind::Bars(groups) => bars(area, groups),
        Kind::Lines { x, lines } => self::lines(&area.margin(TITLE - 4, 8, 16, 0), x, lines),
    }
}

fn bars(area: &Area<'_>, groups: &[(String, Vec<Bar>)]) -> Result<()> {
    let all = || groups.iter().flat_map(|(_, bars)| bars);
    let ends = all().map(|bar| bar.spread.map_or(bar.value, |(_, most)| most.max(bar.value)));
    let most = ends.fold(f64::MIN_POSITIVE, f64::max);
    let at = |value: f64| LEFT + (value / most * LENGTH).round() as i32;
    let mut y = TITLE;
    for (name, bars) in groups {
        if !name.is_empty() {
            text(area, name, (24, y + 6), 13, INK, HPos::Left)?;
            y += GROUP;
        }
        for bar in bars {
            let own = is_klamm(&bar.client);
            let ink = if own { INK } else { FAINT };
            text(area, &bar.client, (LEFT - 10, y + 6), 13, ink, HPos::Right)?;
            let (from, to) = ((LEFT, y + 3), (at(bar.value).max(LEFT + 1), y + ROW - 5));
            let fill = match () {
                () if bar.client == "klamm" => KLAMM,
                () if own => KLAMM_TOO,
                () => PEER,
            };
            area.draw(&Rectangle::new([from, to], fill.filled())).map_err(said)?;
            let mut end = to.0;
            if let Some((least, most)) = bar.spread.filter(|(least, most)| least < most) {
                let middle = y + ROW / 2 - 1;
                let style = INK.mix(0.55).stroke_width(1);
                let line = vec![(at(least), middle), (at(most), middle)];
                area.draw(&PathElement::new(line, style)).map_err(said)?;
                for tip in [at(least), at(most)] {
                    let line = vec![(tip, middle - 3), (tip, middle + 3)];
                    area.draw(&PathElement::new(line, style)).map_err(said)?;
                }
                end = end.max(at(most));
            }
            text(area, &format_figure(bar.value), (end + 8, y + 6), 13, INK, HPos::Left)?;
            y += ROW;
        }
    }
    Ok(())
}

fn lines(area: &Area<'_>, x: &str, lines: &[Line]) -> Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let least = points().map(of).fold(f64::INFINITY, f64::min);
        let most = points().map(of).fold(0.0, f64::max);
        if least < most { (least, most) } else { (most / 2.0, most * 2.0 + 1e-9) }
    };
    let ((left, right), (low, high)) = (range(|point| point.0), range(|point| point.1));
    let mut chart = ChartBuilder::on(area)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .margin_right(124)
        .build_cartesian_2d(
            (left * 0.8..right * 1.25).log_scale(),
            (low * 0.7..high * 1.4).log_scale(),
        )
        .map_err(said)?;
    let labels = ("sans-serif", 13).into_font().color(&FAINT);
    chart
        .configure_mesh()
        .light_line_style(GRID.mix(0.4))
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .label_style(labels)
        .x_desc(x)
        .x_label_formatter(&|value| format!("{}", Thousands(*value)))
        .y_label_formatter(&|value| format!("{}", Thousands(*value)))
        .draw()
        .map_err(said)?;
    // Names stand at the lines' ends, pushed apart where they would meet.
    let mut names = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let color = colour(&line.client, place);
        let width = if is_klamm(&line.client) { 3 } else { 2 };
        let points = line.points.iter().copied();
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(width)))
            .map_err(said)?;
        chart
            .draw_series(points.map(|point| Circle::new(point, width + 2, color.filled())))
            .map_err(said)?;
        if let Some(last) = line.points.last() {
            names.push((chart.backend_coord(last), &line.client, color));
        }
    }
    names.sort_by_key(|((_, y), ..)| *y);
    let base = area.get_base_pixel();
    let mut free = i32::MIN;
    for ((x, y), name, color) in names {
        let y = y.max(free);
        free = y + 18;
        text(area, name, (x - base.0 + 14, y - base.1 - 8), 14, color, HPos::Left)?;
    }
    Ok(())
}

fn colour(client: &str, place: usize) -> RGBColor {
    const PEERS: [RGBColor; 4] = [
        RGBColor(58, 110, 165),
        RGBColor(46, 139, 107),
        RGBColor(128, 98, 170),
        RGBColor(120, 120, 120),
    ];
    if is_klamm(client) { KLAMM } else { PEERS[place % PEERS.len()] }
}

/// A number on an axis.
struct Thousands(f64);

impl core::fmt::Display for Thousands {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            value if value >= 1e6 => write!(f, "{} M", value / 1e6),
            value if value >= 1e3 => write!(f, "{} k", value / 1e3),
            value => write!(f, "{}", (value * 1e4).round() / 1e4),
        }
    }
}

fn text(
    area: &Area<'_>,
    words: &str,
    at: (i32, i32),
    size: i32,
    color: RGBColor,
    side: HPos,
) -> Result<()> {
    let style = ("sans-serif", size).into_font().color(&color);
    let style = style.pos(Pos::new(side, VPos::Top));
    area.draw(&Text::new(words.to_owned(), at, style)).map_err(said)
}

/// Plotters' errors borrow from the backend.
fn said(error: impl core::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}
