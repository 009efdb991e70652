//! Random statements. In: a source of random numbers. Out: a [`Statement`] over the tables of [`super::tables`], of which
//! no two runs may rightly give different rows.

use kernels::selftest::Random;

use super::expr::{CLASSES, Column, Expressions, pick, sql_type};
use super::relations::From;
use super::select::{Select, Statement};
use super::tables::Class;

const DEPTH: u32 = 2;

/// Makes one statement.
pub struct Generator {
    pub(super) random: Random,
    pub(super) aliases: usize,
}

impl Generator {
    /// From here on its random numbers decide.
    pub fn new(random: Random) -> Self {
        Self { random, aliases: 0 }
    }

    /// A statement.
    pub fn statement(mut self) -> Statement {
        let mut statement = Statement::default();
        let branches = if self.random.chance(15) {
            1 + self.random.below(2)
        } else {
            0
        };
        let classes: Option<Vec<Class>> = (branches > 0).then(|| {
            let count = 1 + self.random.below(3);
            (0..count)
                .map(|_| CLASSES[self.random.below(CLASSES.len() as u64) as usize])
                .collect()
        });
        statement.first = self.select(classes.as_deref(), 1).0;
        for _ in 0..branches {
            let operator = pick(
                &mut self.random,
                &[
                    "union all",
                    "union",
                    "intersect",
                    "intersect all",
                    "except",
                    "except all",
                ],
            );
            let select = self.select(classes.as_deref(), 1).0;
            statement.more.push((operator, select));
        }
        if self.random.chance(30) {
            let way = ["", " desc", " nulls first", " desc nulls last"];
            statement.order = (1..=statement.first.items.len())
                .map(|at| format!("{at}{}", pick(&mut self.random, &way)))
                .collect();
            if self.random.chance(60) && !statement.is_distinct_float() {
                statement.limit = format!("limit {}", self.random.below(30));
                if self.random.chance(40) {
                    statement
                        .limit
                        .push_str(&format!(" offset {}", self.random.below(20)));
                }
            }
        }
        statement
    }

    /// A `SELECT` of columns of these classes, or of any, and the columns that leave it.
    pub(super) fn select(&mut self, classes: Option<&[Class]>, depth: u32) -> (Select, Vec<Class>, f64) {
        let from = self.from(depth);
        let mut select = Select {
            filters: self.filters(&from),
            ..Select::default()
        };
        let classes: Vec<Class> = match classes {
            Some(classes) => classes.to_vec(),
            None => (0..=self.random.below(4))
                .map(|_| CLASSES[self.random.below(7) as usize])
                .collect(),
        };
        match self.random.below(10) {
            0..=4 => self.plain(&mut select, &from, &classes),
            5..=8 => self.aggregated(&mut select, &from, &classes),
            _ => {
                self.plain(&mut select, &from, &classes);
                select.distinct = true;
            }
        }
        // Branches of a union, and what is joined, are of the same types.
        for (item, class) in select.items.iter_mut().zip(&classes) {
            *item = match class {
                Class::Bool | Class::Text => std::mem::take(item),
                _ => format!("cast({item} as {})", sql_type(*class)),
            };
        }
        select.from = from.joined;
        (select, classes, from.rows)
    }

    pub(super) fn expressions<'a>(&'a mut self, columns: &'a [Column]) -> Expressions<'a> {
        Expressions {
            random: &mut self.random,
            columns,
        }
    }

    fn plain(&mut self, select: &mut Select, from: &From, classes: &[Class]) {
        for &class in classes {
            let item = match self.random.chance(if class == Class::Int { 14 } else { 5 }) {
                true => self.window(from, class),
                false => self.expressions(&from.columns).of(class, DEPTH),
            };
            select.items.push(item);
        }
    }

    fn aggregated(&mut self, select: &mut Select, from: &From, classes: &[Class]) {
        let key_count = match self.random.below(10) {
            0 => 0,
            1..=5 => 1,
            _ => 2,
        };
        for _ in 0..key_count {
            let mut expressions = self.expressions(&from.columns);
            let class = expressions.class();
            let key = match expressions.random.chance(70) {
                true => expressions.column(class),
                false => Some(expressions.of(class, 1)),
            };
            // A bare number would be the number of a column.
            let key = key.filter(|key| key.parse::<i64>().is_err());
            let key = key.or_else(|| expressions.column(class));
            select.keys.extend(key);
        }
        for &class in classes {
            let item = match select.keys.first() {
                Some(_) if self.random.chance(25) => self.key_of(select, from, class),
                _ => self.aggregate(from, class),
            };
            select.items.push(item);
        }
        if !select.keys.is_empty() && self.random.chance(15) {
            select.sets = pick(&mut self.random, &["rollup", "cube"]);
        }
        if !select.keys.is_empty() && self.random.chance(25) {
            let limit = self.random.below(4);
            let having = match self.random.below(3) {
                0 => format!("count(*) > {limit}"),
                1 => format!("{} > {limit}", self.aggregate(from, Class::Int)),
                _ => format!("({} is not null)", self.aggregate(from, Class::Text)),
            };
            select.having.push(having);
        }
    }

    /// A key that is of a class, or an aggregate.
    fn key_of(&mut self, select: &Select, from: &From, class: Class) -> String {
        let is_it = |key: &&String| {
            let column = from.columns.iter().find(|column| column.name == **key);
            column.is_some_and(|column| column.class == class && !(column.is_wild && class == Class::Float))
        };
        match select.keys.iter().find(is_it) {
            Some(key) => key.clone(),
            None => self.aggregate(from, class),
        }
    }

    fn aggregate(&mut self, from: &From, class: Class) -> String {
        let order = from.total_order().filter(|_| self.random.chance(10));
        let mut of = self.expressions(&from.columns);
        let any = of.class();
        let extreme = pick(of.random, &["min", "max"]);
        let call = match class {
            // One of the rows, in an order of which there is only one.
            _ if order.is_some() => {
                let function = pick(of.random, &["first_value", "last_value"]);
                let nulls = pick(of.random, &["", " ignore nulls"]);
                let order = order.unwrap_or_default();
                format!("{function}({} order by {order}){nulls}", of.of(class, 1))
            }
            Class::Int | Class::Decimal if of.random.chance(8) => {
                format!("median({})", of.column(class).unwrap_or_else(|| "1".into()))
            }
            Class::Int => match of.random.below(9) {
                0 => "count(*)".into(),
                1 => format!("count({})", of.of(any, 1)),
                // The CPU tells the two zeros apart in some plans; added to a zero they are one.
                2 if any == Class::Float => format!("count(distinct {} + 0)", of.of(any, 1)),
                2 => format!("count(distinct {})", of.of(any, 1)),
                3 => format!(
                    "{extreme}({})",
                    of.column(Class::Int).unwrap_or_else(|| "1".into())
                ),
                4 => format!(
                    "{}({})",
                    pick(of.random, &["bit_and", "bit_or", "bit_xor"]),
                    of.of(Class::Int, 1)
                ),
                5 => format!("sum(distinct {})", of.of(Class::Int, 1)),
                _ => format!("sum({})", of.of(Class::Int, 1)),
            },
            Class::Float => match of.random.below(6) {
                0 => format!("avg({})", of.of(Class::Int, 1)),
                1 => format!("avg({})", of.of(Class::Float, 1)),
                2 => format!("stddev({})", of.of(Class::Int, 0)),
                3 => format!("var_pop({})", of.of(Class::Int, 0)),
                4 => format!("sum({})", of.of(Class::Float, 1)),
                _ => {
                    let value = of.column(Class::Float).unwrap_or_else(|| "1.5".into());
                    format!("{extreme}({})", ordered(Class::Float, &value))
                }
            },
            Class::Decimal => match of.random.below(4) {
                0 => format!("avg({})", of.of(Class::Decimal, 0)),
                1 => format!("{extreme}({})", of.of(Class::Decimal, 1)),
                _ => format!("sum({})", of.of(Class::Decimal, 1)),
            },
            Class::Bool => {
                let function = pick(of.random, &["bool_and", "bool_or", "min", "max"]);
                format!("{function}({})", of.truth(1))
            }
            _ => format!("{extreme}({})", of.of(class, 1)),
        };
        match of.random.chance(12) && !call.ends_with("nulls") {
            true => format!("{call} filter (where {})", of.truth(1)),
            false => call,
        }
    }

    fn filters(&mut self, from: &From) -> Vec<String> {
        let mut filters = Vec::new();
        for _ in 0..self.random.below(3) {
            filters.push(self.expressions(&from.columns).truth(DEPTH));
        }
        if self.random.chance(25) {
            filters.push(self.subquery(from));
        }
        filters
    }

    /// A condition with a subquery: of the rows outside or not, over their columns or not.
    fn subquery(&mut self, from: &From) -> String {
        let (joined, inner, _) = self.relation(0);
        let class = self.expressions(&from.columns).class();
        let mut outside = self.expressions(&from.columns);
        let value = outside.column(class).unwrap_or_else(|| outside.literal(class));
        let mut inside = self.expressions(&inner);
        let other = inside.column(class).unwrap_or_else(|| inside.literal(class));
        let filter = match inside.random.chance(40) {
            true => format!(" and {}", inside.truth(1)),
            false => String::new(),
        };
        let not = pick(inside.random, &["", "not "]);
        match inside.random.below(10) {
            // In a disjunction it decides nothing by itself: a mark join.
            8 | 9 => {
                let truth = self.expressions(&from.columns).truth(1);
                let not = pick(&mut self.random, &["", "not "]);
                format!("({truth} or {not}exists (select 1 from{joined} where {other} = {value}{filter}))")
            }
            0..=2 => format!("{not}exists (select 1 from{joined} where {other} = {value}{filter})"),
            3..=5 => format!("{value} {not}in (select {other} from{joined} where true{filter})"),
            6 => {
                let extreme = pick(inside.random, &["min", "max"]);
                let other = ordered(class, &other);
                format!("{value} > (select {extreme}({other}) from{joined} where true{filter})")
            }
            _ => {
                let key = inside.column(Class::Text).unwrap_or_else(|| "'a'".into());
                let own = self
                    .expressions(&from.columns)
                    .column(Class::Text)
                    .unwrap_or_else(|| "'a'".into());
                let other = ordered(class, &other);
                format!("{value} <= (select max({other}) from{joined} where {key} = {own}{filter})")
            }
        }
    }
}

/// A value whose least and greatest are the same in any order of rows: DataFusion's extremes of groups are not, where
/// there is NaN among them.
pub(super) fn ordered(class: Class, value: &str) -> String {
    match class {
        Class::Float => format!("nullif({value}, cast('NaN' as double))"),
        _ => value.to_owned(),
    }
}
