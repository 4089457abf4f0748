//! Columns for a terminal, where a Chinese character is two cells wide.

/// A table with a title line; columns are as wide as their widest cell.
pub(crate) fn table(titles: &[String], rows: &[Vec<String>]) -> String {
    let lines = || std::iter::once(titles).chain(rows.iter().map(Vec::as_slice));
    let columns = lines().map(<[String]>::len).max().unwrap_or(0);
    let widest = |column: usize| lines().filter_map(|line| line.get(column)).map(|cell| cells(cell)).max();
    let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let printed: Vec<String> = lines().map(|line| print(line, &widths)).collect();
    printed.join("\n")
}

fn print(line: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in line.iter().zip(widths) {
        text.push_str(cell);
        let blanks = width.saturating_sub(cells(cell)) + GAP;
        text.extend(std::iter::repeat_n(' ', blanks));
    }
    text.trim_end().to_owned()
}

/// Terminal cells of a text: from Hangul upwards, scripts of the far east are drawn double.
fn cells(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum()
}

const GAP: usize = 2;

#[cfg(test)]
mod tests;
