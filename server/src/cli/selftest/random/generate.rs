//! Random statements. In: a source of random numbers. Out: a [`Statement`] over the tables of [`super::tables`], of which
//! no two runs may rightly give different rows.

use kernels::selftest::Random;

use super::expr::{CLASSES, Column, Expressions, pick, sql_type};
use super::select::{Joined, Relation, Select, Statement};
use super::tables::{COLUMNS, Class, TABLES};

/// Rows that a join may be thought to have.
const ROWS_MAX: f64 = 8_000.0;
const DEPTH: u32 = 2;

/// Makes one statement.
pub struct Generator {
    pub(super) random: Random,
    aliases: usize,
}

/// The relations of a statement as they are joined.
#[derive(Default)]
pub(super) struct From {
    joined: Vec<Joined>,
    pub(super) columns: Vec<Column>,
    rows: f64,
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
            if self.random.chance(60) {
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
    fn select(&mut self, classes: Option<&[Class]>, depth: u32) -> (Select, Vec<Class>, f64) {
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

    /// A table, or a derived one, with a name of its own.
    fn relation(&mut self, depth: u32) -> (Joined, Vec<Column>, f64) {
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

    fn from(&mut self, depth: u32) -> From {
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

/// A value whose least and greatest are the same in any order of rows: DataFusion's extremes of groups are not, where
/// there is NaN among them.
pub(super) fn ordered(class: Class, value: &str) -> String {
    match class {
        Class::Float => format!("nullif({value}, cast('NaN' as double))"),
        _ => value.to_owned(),
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
