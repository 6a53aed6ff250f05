//! Plots: what is to be drawn, made of a case's rows. `draw.rs` draws it.

use crate::cases::axis;
use crate::results::{Rows, is_klamm};

/// One plot of a case's picture.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// Which direction is good.
    pub(crate) better: String,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// Groups of bars, each with a name that may be empty.
    Bars(Vec<(String, Vec<Bar>)>),
    /// A line a client, both axes logarithmic.
    Lines { x: String, lines: Vec<Line> },
}

#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) client: String,
    pub(crate) value: f64,
    /// The least and the most of all rounds.
    pub(crate) spread: Option<(f64, f64)>,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) client: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A figure, as bars for every point and client.
pub(crate) fn bars(rows: &Rows, figure: &str, better: &str) -> Chart {
    let group = |point: &str| {
        let its = rows.0.iter().filter(|row| row.point == point);
        its.filter_map(|row| {
            let (client, value) = (row.client.clone(), row.get(figure)?);
            Some(Bar { client, value, spread: row.spread(figure) })
        })
        .collect()
    };
    let groups = rows.points().iter().map(|point| ((*point).to_owned(), group(point))).collect();
    Chart { title: axis(figure).into(), better: better.into(), kind: Kind::Bars(groups) }
}

/// A client's figure at one point, times that at another one.
pub(crate) fn ratio_bars(rows: &Rows, figure: &str, over: &str, under: &str, title: &str) -> Chart {
    let bar = |client: &str| {
        let value = rows.get(over, client, figure)? / rows.get(under, client, figure)?;
        Some(Bar { client: client.to_owned(), value, spread: None })
    };
    let bars = rows.clients().into_iter().filter_map(bar).collect();
    let kind = Kind::Bars(vec![(String::new(), bars)]);
    Chart { title: title.into(), better: String::new(), kind }
}

/// A figure, as a line a client; `at` places the points.
pub(crate) fn lines(
    rows: &Rows,
    figure: &str,
    x: &str,
    better: &str,
    at: impl Fn(&str) -> Option<u32>,
) -> Chart {
    let line = |client: &str| {
        let its = rows.0.iter().filter(|row| row.client == client);
        let points = its.filter_map(|row| Some((f64::from(at(&row.point)?), row.get(figure)?)));
        Line { client: client.to_owned(), points: points.collect() }
    };
    // What is drawn last is on top.
    let mut lines: Vec<_> = rows.clients().into_iter().map(line).collect();
    lines.sort_by_key(|line| is_klamm(&line.client));
    let kind = Kind::Lines { x: x.into(), lines };
    Chart { title: axis(figure).into(), better: better.into(), kind }
}
