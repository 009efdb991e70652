//! Random window functions. In: the relations of a statement, a class. Out: a function over a window whose values are the same
//! however rows that are alike in its order are ordered.

use super::expr::pick;
use super::generate::{Generator, ordered};
use super::relations::From;
use super::tables::Class;

/// Frames in which rows that are alike are all or none.
const FRAMES_OF_PEERS: [&str; 7] = [
    "",
    " range between current row and unbounded following",
    " rows between unbounded preceding and unbounded following",
    " groups between 1 preceding and 2 following",
    " groups between unbounded preceding and 1 preceding",
    " groups between 1 following and unbounded following",
    " groups between current row and 1 following",
];
const FRAMES_OF_ROWS: [&str; 6] = [
    " rows unbounded preceding",
    " rows between 3 preceding and 2 following",
    " rows between 9 preceding and 4 preceding",
    " rows between 1 following and 40 following",
    " rows between 70 preceding and unbounded following",
    " rows between current row and unbounded following",
];
const WAYS: [&str; 4] = ["", " desc", " nulls first", " desc nulls last"];

impl Generator {
    /// A function of a class.
    pub(super) fn window(&mut self, from: &From, class: Class) -> String {
        let partition_class = self.expressions(&from.columns).class();
        let partition = self.expressions(&from.columns).of(partition_class, 1);
        let partition = match self.random.chance(75) {
            true => format!("partition by {partition} "),
            false => String::new(),
        };
        let order_class = self.expressions(&from.columns).class();
        let order = self.expressions(&from.columns).of(order_class, 1);
        let order = format!("{order}{}", pick(&mut self.random, &WAYS));
        match from.total_order() {
            Some(total) if self.random.chance(55) => {
                let frame = match self.random.chance(70) {
                    true => pick(&mut self.random, &FRAMES_OF_ROWS),
                    false => pick(&mut self.random, &FRAMES_OF_PEERS),
                };
                let function = self.of_rows(from, class);
                let order = match self.random.chance(60) {
                    true => format!("{order}, {total}"),
                    false => total,
                };
                format!("{function} over ({partition}order by {order}{frame})")
            }
            _ => {
                let frame = pick(&mut self.random, &FRAMES_OF_PEERS);
                let function = self.of_peers(from, class);
                format!("{function} over ({partition}order by {order}{frame})")
            }
        }
    }

    /// A function that may tell rows apart.
    fn of_rows(&mut self, from: &From, class: Class) -> String {
        let value = self.expressions(&from.columns).of(class, 1);
        let nulls = pick(&mut self.random, &["", "", " ignore nulls"]);
        let by = self.random.below(4);
        match self.random.below(8) {
            0 if class == Class::Int => "row_number()".into(),
            1 if class == Class::Int => format!("ntile({})", by + 1),
            2 => format!("first_value({value}){nulls}"),
            3 => format!("last_value({value}){nulls}"),
            4 => format!("nth_value({value}, {}){nulls}", by + 1),
            5 => format!("lag({value}, {by}){nulls}"),
            // DataFusion's CPU loses values further ahead than the next where it leaves out nulls.
            6 if nulls.is_empty() => format!("lead({value}, {by})"),
            6 => format!("lead({value}){nulls}"),
            _ => self.of_peers(from, class),
        }
    }

    /// A function that gives rows that are alike the same.
    fn of_peers(&mut self, from: &From, class: Class) -> String {
        let mut of = self.expressions(&from.columns);
        let value = of.of(class, 1);
        let function = match (class, of.random.below(6)) {
            (Class::Int, 0) => return "rank()".into(),
            (Class::Int, 1) => return "dense_rank()".into(),
            (Class::Int, 2) => format!("sum(cast({value} as bigint))"),
            (Class::Int, 3) => "count(*)".into(),
            (Class::Decimal, 0 | 1) => format!("sum({value})"),
            (Class::Decimal, 2) => format!("avg({value})"),
            (_, least) => {
                let extreme = if least % 2 == 0 { "min" } else { "max" };
                format!("{extreme}({})", ordered(class, &value))
            }
        };
        match self.random.chance(25) {
            true => {
                let filter = self.expressions(&from.columns).truth(1);
                format!("{function} filter (where {filter})")
            }
            false => function,
        }
    }
}
