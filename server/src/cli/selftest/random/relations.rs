//! Random relations, joined. In: how deep they may nest. Out: what follows FROM, and the columns in sight.

use super::expr::{Column, pick};
use super::generate::Generator;
use super::select::{Joined, Relation};
use super::tables::{COLUMNS, Class, TABLES};

/// Rows that a join may be thought to have.
const ROWS_MAX: f64 = 8_000.0;

/// The relations of a statement as they are joined.
#[derive(Default)]
pub(super) struct From {
    pub(super) joined: Vec<Joined>,
    pub(super) columns: Vec<Column>,
    pub(super) rows: f64,
}

impl From {
    /// The keys of all that was joined, if it has any: no two rows have the same ones.
    pub(super) fn total_order(&self) -> Option<String> {
        let alias = |column: &Column| column.name.split_once('.').map(|(alias, _)| alias.to_owned());
        let mut aliases: Vec<String> = self.columns.iter().filter_map(alias).collect();
        aliases.dedup();
        let keys: Vec<String> = aliases.iter().map(|alias| format!("{alias}.k")).collect();
        let is_there = |key: &String| self.columns.iter().any(|column| column.name == *key);
        keys.iter().all(is_there).then(|| keys.join(", "))
    }
}

impl Generator {
    /// A table, or a derived one, with a name of its own.
    pub(super) fn relation(&mut self, depth: u32) -> (Joined, Vec<Column>, f64) {
        let alias = format!("a{}", self.aliases);
        self.aliases += 1;
        if depth > 0 && self.random.chance(20) {
            let (select, classes, rows) = self.select(None, depth - 1);
            let column = |(at, class): (usize, &Class)| Column {
                name: format!("{alias}.c{at}"),
                class: *class,
                is_wild: false,
            };
            let columns = classes.iter().enumerate().map(column).collect();
            let relation = Relation::Derived(Box::new(select));
            return (first(relation, alias), columns, rows);
        }
        // Empty tables and those of one row are for some statements only.
        let at = match self.random.below(12) {
            0 => 5,
            1 => 4,
            n => n % 4,
        };
        let (table, rows) = TABLES[at as usize];
        let columns = COLUMNS.iter().map(|&(name, class, is_wild)| Column {
            name: format!("{alias}.{name}"),
            class,
            is_wild,
        });
        let columns = columns.collect();
        (first(Relation::Table(table), alias), columns, rows as f64)
    }

    pub(super) fn from(&mut self, depth: u32) -> From {
        let (joined, columns, rows) = self.relation(depth);
        let mut from = From {
            joined: vec![joined],
            columns,
            rows,
        };
        let joins = match self.random.below(10) {
            0..=3 => 0,
            4..=6 => 1,
            7 | 8 => 2,
            _ => 3,
        };
        for _ in 0..joins {
            self.join(&mut from, depth);
        }
        from
    }

    /// Joins one more relation, unless too many rows would come of it.
    fn join(&mut self, from: &mut From, depth: u32) {
        let (mut joined, columns, rows) = self.relation(depth);
        let product = from.rows * rows;
        let kind = pick(
            &mut self.random,
            &[
                "join",
                "join",
                "join",
                "left join",
                "left join",
                "right join",
                "right join",
                "full join",
                "left semi join",
                "left anti join",
                "right semi join",
                "right anti join",
                "cross join",
            ],
        );
        let both: Vec<Column> = from.columns.iter().chain(&columns).cloned().collect();
        let share = match kind {
            "cross join" => 1.0,
            _ if self.random.chance(10) => {
                joined.on.push(self.expressions(&both).truth(1));
                1.0
            }
            _ => {
                let keys = if self.random.chance(30) { 2 } else { 1 };
                joined.on = (0..keys)
                    .filter_map(|_| self.key(&from.columns, &columns))
                    .collect();
                if joined.on.is_empty() {
                    return;
                }
                if self.random.chance(30) {
                    joined.on.push(self.expressions(&both).truth(1));
                }
                0.2_f64.powi(keys)
            }
        };
        if product * share > ROWS_MAX {
            return;
        }
        joined.kind = kind;
        from.rows = (product * share).max(from.rows).max(rows);
        from.columns = match kind {
            "left semi join" | "left anti join" => std::mem::take(&mut from.columns),
            "right semi join" | "right anti join" => columns,
            _ => both,
        };
        from.joined.push(joined);
    }

    /// Columns of both sides that are equal.
    fn key(&mut self, left: &[Column], right: &[Column]) -> Option<String> {
        let class = self.expressions(left).class();
        let a = match self.random.chance(15) {
            true => Some(self.expressions(left).of(class, 1)),
            false => self.expressions(left).column(class),
        };
        let b = self.expressions(right).column(class);
        let operator = if self.random.chance(15) {
            "is not distinct from"
        } else {
            "="
        };
        // In parentheses: the parser lets `is not distinct from` take all that follows for its right side.
        Some(format!("({} {operator} {})", a?, b?))
    }
}

fn first(relation: Relation, alias: String) -> Joined {
    Joined {
        kind: "",
        relation,
        alias,
        on: Vec::new(),
    }
}
