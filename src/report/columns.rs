//! Tables in columns, for terminals of any width.

use super::printer::Printer;
use console::measure_text_width;

/// A table, and what of it was left out.
#[derive(Debug, PartialEq, Eq)]
pub struct Table<'h> {
    /// A line for the heads, and one a row.
    pub lines: Vec<String>,
    /// The heads that have no room.
    pub left_out: Vec<&'h str>,
}

/// A table under these heads, as wide as answers may be. On a narrow terminal columns are left out, in the order of `gives_way`; `rows` makes the
/// rows of those that stay, by their places among the heads.
#[must_use]
pub fn table<'h>(heads: &[&'h str], gives_way: &[&'h str], rows: impl Fn(&[usize]) -> Vec<Vec<String>>) -> Table<'h> {
    within(Printer::columns(), heads, gives_way, rows)
}

fn within<'h>(columns: Option<usize>, heads: &[&'h str], gives_way: &[&'h str], rows: impl Fn(&[usize]) -> Vec<Vec<String>>) -> Table<'h> {
    let without = |left_out: &[&'h str]| {
        let kept: Vec<usize> = (0..heads.len()).filter(|at| !left_out.contains(&heads[*at])).collect();
        let head = kept.iter().map(|at| heads[*at].to_owned()).collect();
        let lines = lines(&std::iter::once(head).chain(rows(&kept)).collect::<Vec<_>>());
        Table { lines, left_out: left_out.to_vec() }
    };
    let fits = |table: &Table<'_>| columns.is_none_or(|columns| table.lines.iter().all(|line| measure_text_width(line) <= columns));
    let narrower = (0..gives_way.len()).map(|number| without(&gives_way[..number])).find(fits);
    narrower.unwrap_or_else(|| without(gives_way))
}

/// Every cell as wide as the widest of its column, two blanks between them.
fn lines(rows: &[Vec<String>]) -> Vec<String> {
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| measure_text_width(cell)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(widest).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - measure_text_width(cell))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_way_until_every_line_has_room() {
        let rows = [["1.14.1", "v1", "six"], ["0.17.0", "v1alpha5", "one"]];
        let shown = |columns| {
            let kept = |kept: &[usize]| rows.iter().map(|row| kept.iter().map(|at| row[*at].to_owned()).collect()).collect();
            within(columns, &["Karpenter", "API", "policies"], &["policies", "API"], kept)
        };
        let whole = ["Karpenter  API       policies", "1.14.1     v1        six", "0.17.0     v1alpha5  one"];
        assert_eq!(shown(None), Table { lines: whole.map(str::to_owned).to_vec(), left_out: vec![] });
        assert_eq!(shown(Some(29)), shown(None));
        assert_eq!(shown(Some(28)).lines, ["Karpenter  API", "1.14.1     v1", "0.17.0     v1alpha5"]);
        assert_eq!(shown(Some(28)).left_out, ["policies"]);
        assert_eq!(shown(Some(10)).left_out, ["policies", "API"]);
        assert_eq!(shown(Some(1)).lines, ["Karpenter", "1.14.1", "0.17.0"], "what never gives way");
    }
}
