//! What is wrong with a statement on purpose: a payment that is missing, one that nobody knows, one of another amount.

use super::lines::{Line, Totals};
use crate::world::Dice;
use serde::Serialize;

/// How many of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Breaks {
    pub missing: u64,
    pub surplus: u64,
    pub amount: u64,
    /// Given back after a dispute, in the file of adjustments alone.
    pub adjusted: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    Missing,
    Surplus,
    Amount,
    Adjusted,
}

/// One thing that is wrong, and what it makes of the bank's books held against the file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Break {
    pub kind: BreakKind,
    pub end_to_end_id: String,
    /// In the file; nothing where the line is missing.
    pub fen: Option<i64>,
    /// In the book; nothing where it is a surplus.
    pub book_fen: Option<i64>,
    /// The bank is left with more than it is asked for, or with less.
    pub effect: Effect,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Chang kuan: money over.
    Over,
    /// Duan kuan: money short.
    Short,
}

impl Effect {
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Over => "\u{957f}\u{6b3e}",
            Self::Short => "\u{77ed}\u{6b3e}",
        }
    }
}

impl Breaks {
    /// Changes the lines and tells what was changed, and which adjustments there are. No line is touched twice; when there are
    /// too few, fewer are broken.
    pub(super) fn apply(self, lines: &mut Vec<Line>, seed: u64) -> (Vec<Break>, Vec<Line>) {
        let mut dice = Dice::new(seed, 0);
        let mut places: Vec<usize> = (0..lines.len()).collect();
        let mut broken = Vec::new();
        let mut draw = |count: u64| -> Vec<usize> {
            let mut drawn = Vec::new();
            for _ in 0..count.min(places.len() as u64) {
                let at = usize::try_from(dice.below(places.len() as u64)).unwrap_or(0);
                drawn.push(places.swap_remove(at));
            }
            drawn
        };
        let [amounts, models, missing, disputed] = [self.amount, self.surplus, self.missing, self.adjusted].map(&mut draw);
        let adjusted: Vec<Line> = disputed
            .iter()
            .filter_map(|place| lines.get(*place))
            .map(given_back)
            .collect();
        broken.extend(
            adjusted
                .iter()
                .map(|line| told(BreakKind::Adjusted, line, Some(line.fen), None)),
        );
        for place in amounts {
            broken.extend(lines.get_mut(place).map(|line| other_amount(line, seed)));
        }
        let surplus: Vec<Line> = models.iter().filter_map(|place| lines.get(*place)).map(unknown).collect();
        broken.extend(
            surplus
                .iter()
                .map(|line| told(BreakKind::Surplus, line, Some(line.fen), None)),
        );
        let is_missing = |place: usize| missing.contains(&place);
        let (gone, mut kept): (Vec<_>, Vec<_>) = lines.drain(..).enumerate().partition(|(place, _)| is_missing(*place));
        broken.extend(
            gone.iter()
                .map(|(_, line)| told(BreakKind::Missing, line, None, Some(line.fen))),
        );
        lines.extend(kept.drain(..).map(|(_, line)| line).chain(surplus));
        broken.sort_by(|one, other| (one.kind, &one.end_to_end_id).cmp(&(other.kind, &other.end_to_end_id)));
        (broken, adjusted)
    }
}

/// The same money the other way.
fn given_back(line: &Line) -> Line {
    Line {
        side: line.side.turned(),
        original: line.end_to_end_id.clone(),
        ..line.clone()
    }
}

/// Adds up to ten yuan, or takes away a part.
fn other_amount(line: &mut Line, seed: u64) -> Break {
    let before = line.fen;
    let mut dice = Dice::new(seed, before.unsigned_abs());
    let is_more = before < 2 || dice.below(2) == 0;
    line.fen = if is_more {
        before.saturating_add(dice.between(1, 1_000))
    } else {
        before - dice.between(1, before - 1)
    };
    told(BreakKind::Amount, line, Some(line.fen), Some(before))
}

/// A payment like another one, under ids that nobody gave.
fn unknown(model: &Line) -> Line {
    let mut line = model.clone();
    for id in [
        &mut line.msg_id,
        &mut line.end_to_end_id,
        &mut line.details.tx_id,
        &mut line.details.order_id,
    ] {
        // The date in front stays, as a sender would write it; nines at the end are of no serial of a run.
        let kept = id.len().saturating_sub(UNKNOWN.len());
        if id.is_char_boundary(kept) && !id.is_empty() {
            id.truncate(kept);
            id.push_str(UNKNOWN);
        }
    }
    line
}

fn told(kind: BreakKind, line: &Line, fen: Option<i64>, book_fen: Option<i64>) -> Break {
    let owed = |fen: Option<i64>| {
        let sum = Totals::of(&[Line {
            fen: fen.unwrap_or(0),
            ..line.clone()
        }]);
        sum.owed_fen()
    };
    let effect = if owed(fen) > owed(book_fen) {
        Effect::Short
    } else {
        Effect::Over
    };
    Break {
        kind,
        end_to_end_id: line.end_to_end_id.clone(),
        fen,
        book_fen,
        effect,
    }
}

const UNKNOWN: &str = "9999999";
