//! Random expressions of a wanted class over the columns in sight. In: columns, a source of random numbers. Out: SQL
//! text. What may fail for some rows only (a division by zero, a cast that does not fit) is left out: the device and
//! the CPU need not agree on rows whose value nobody asks for.

use kernels::selftest::Random;

use super::tables::{Class, WORDS};

/// A column that expressions may name.
#[derive(Debug, Clone)]
pub struct Column {
    /// `a0.i8`.
    pub name: String,
    /// What it holds.
    pub class: Class,
    /// Whether its values are too large to calculate with.
    pub is_wild: bool,
}

/// Classes whose values have an order that says something.
pub const CLASSES: [Class; 7] = [
    Class::Int,
    Class::Text,
    Class::Float,
    Class::Decimal,
    Class::Date,
    Class::Stamp,
    Class::Bool,
];
const COMPARISONS: [&str; 8] = [
    "=",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    "is distinct from",
    "is not distinct from",
];
const PATTERNS: [&str; 12] = [
    "a%", "%b", "%a%", "_b%", "twelve%", "%", "", "%more", "%\\%b%", "日__", "%a%b%", "%B%",
];
const UNITS: [&str; 6] = ["year", "quarter", "month", "day", "dow", "doy"];
const CLOCK_UNITS: [&str; 4] = ["hour", "minute", "second", "day"];

/// Makes expressions over some columns.
pub struct Expressions<'a> {
    /// Where chance comes from.
    pub random: &'a mut Random,
    /// The columns in sight.
    pub columns: &'a [Column],
}

/// One of them.
pub fn pick<'a, T: ?Sized>(random: &mut Random, from: &[&'a T]) -> &'a T {
    from[random.below(from.len() as u64) as usize]
}

impl Expressions<'_> {
    /// Any class.
    pub fn class(&mut self) -> Class {
        CLASSES[self.random.below(CLASSES.len() as u64) as usize]
    }

    /// A column of a class, whether its values are large or not.
    pub fn column(&mut self, class: Class) -> Option<String> {
        let of = self.columns.iter().filter(|column| column.class == class);
        let of: Vec<&Column> = of.collect();
        let at = self.random.below(of.len().max(1) as u64) as usize;
        of.get(at).map(|column| column.name.clone())
    }

    /// A column of a class that can be calculated with.
    fn tame(&mut self, class: Class) -> Option<String> {
        let of = self
            .columns
            .iter()
            .filter(|column| column.class == class && !column.is_wild);
        let of: Vec<&Column> = of.collect();
        let at = self.random.below(of.len().max(1) as u64) as usize;
        of.get(at).map(|column| column.name.clone())
    }

    /// A constant of a class.
    pub fn literal(&mut self, class: Class) -> String {
        let n = self.random.below(30) as i64 - 3;
        if self.random.chance(3) {
            return format!("cast(null as {})", sql_type(class));
        }
        match class {
            Class::Bool => (if n % 2 == 0 { "true" } else { "false" }).into(),
            Class::Int => n.to_string(),
            Class::Float => match self.random.below(12) {
                0 => "cast('NaN' as double)".into(),
                1 => "cast('inf' as double)".into(),
                _ => format!("cast({} as double)", n as f64 / 4.0),
            },
            Class::Decimal => format!("cast({} as decimal(9, 2))", n as f64 / 4.0),
            Class::Date => format!("date '2000-01-{:02}'", n.rem_euclid(31) + 1),
            Class::Stamp => format!("timestamp '2000-01-{:02} 01:01:01'", n.rem_euclid(31) + 1),
            Class::Text => format!("'{}'", WORDS[n.rem_euclid(WORDS.len() as i64) as usize]),
        }
    }

    fn leaf(&mut self, class: Class) -> String {
        let column = if self.random.chance(85) {
            self.tame(class)
        } else {
            None
        };
        column.unwrap_or_else(|| self.literal(class))
    }

    /// An expression of a class, `depth` operations deep at most.
    pub fn of(&mut self, class: Class, depth: u32) -> String {
        if class == Class::Bool {
            return self.truth(depth);
        }
        if depth == 0 || self.random.chance(30) {
            return self.leaf(class);
        }
        let next = depth - 1;
        let a = self.of(class, next);
        match self.random.below(10) {
            0 => format!("coalesce({a}, {})", self.of(class, next)),
            1 => format!("nullif({a}, {})", self.leaf(class)),
            2 => format!(
                "case when {} then {a} else {} end",
                self.truth(next),
                self.of(class, next)
            ),
            3 => format!("case when {} then {a} end", self.truth(next)),
            _ => match class {
                Class::Int => self.integer(&a, next),
                Class::Float => self.float(&a, next),
                Class::Decimal => self.decimal(&a, next),
                Class::Date => self.date(&a, next),
                Class::Stamp => self.stamp(&a),
                _ => self.text(&a, next),
            },
        }
    }

    fn integer(&mut self, a: &str, depth: u32) -> String {
        match self.random.below(12) {
            0 => format!("({a} + {})", self.of(Class::Int, depth)),
            1 => format!("({a} - {})", self.of(Class::Int, depth)),
            2 => format!("({a} * {})", self.random.below(5)),
            3 => format!("({a} / {})", self.random.below(6) + 1),
            4 => format!("({a} % {})", self.random.below(6) + 1),
            5 => format!("abs({a})"),
            6 => format!("character_length({})", self.of(Class::Text, depth)),
            7 => format!("octet_length({})", self.of(Class::Text, depth)),
            8 => format!("strpos({}, 'b')", self.of(Class::Text, depth)),
            9 => {
                let unit = pick(self.random, &UNITS);
                format!(
                    "cast(extract({unit} from {}) as int)",
                    self.of(Class::Date, depth)
                )
            }
            10 => {
                let unit = pick(self.random, &CLOCK_UNITS);
                format!(
                    "cast(extract({unit} from {}) as int)",
                    self.of(Class::Stamp, depth)
                )
            }
            _ => format!("cast({a} as bigint)"),
        }
    }

    /// Only what leaves sums that are the same in any order.
    fn float(&mut self, a: &str, depth: u32) -> String {
        match self.random.below(9) {
            0 => format!("({a} + {})", self.of(Class::Float, depth)),
            1 => format!("({a} - {})", self.of(Class::Float, depth)),
            2 => format!("({a} * 2)"),
            3 => format!("({a} / 4)"),
            4 => format!("abs({a})"),
            5 => format!("floor({a})"),
            6 => format!("ceil({a})"),
            7 => format!("round({a})"),
            _ => format!("cast({} as double)", self.of(Class::Int, depth)),
        }
    }

    fn decimal(&mut self, a: &str, depth: u32) -> String {
        match self.random.below(7) {
            0 => format!("({a} + {})", self.of(Class::Decimal, depth)),
            1 => format!("({a} - {})", self.of(Class::Decimal, depth)),
            2 => format!("({a} * cast(0.5 as decimal(3, 2)))"),
            3 => format!("abs({a})"),
            // DataFusion plans one type for what is rounded and makes another.
            4 => format!("cast(round({a}, 1) as decimal(20, 3))"),
            5 => format!("cast({a} as decimal(20, 3))"),
            _ => format!("cast({} as decimal(20, 2))", self.of(Class::Int, depth)),
        }
    }

    fn date(&mut self, a: &str, depth: u32) -> String {
        let n = self.random.below(40);
        match self.random.below(4) {
            0 => format!("({a} + interval '{n}' day)"),
            1 => format!("({a} - interval '{n}' month)"),
            2 => format!("cast({} as date)", self.of(Class::Stamp, depth)),
            _ => format!("cast(date_trunc('month', {a}) as date)"),
        }
    }

    fn stamp(&mut self, a: &str) -> String {
        let n = self.random.below(40);
        match self.random.below(4) {
            0 => format!("({a} + interval '{n}' hour)"),
            1 => format!("({a} - interval '{n}' day)"),
            2 => format!(
                "date_trunc('{}', {a})",
                pick(self.random, &["hour", "day", "year"])
            ),
            _ => format!("cast({a} as timestamp)"),
        }
    }

    fn text(&mut self, a: &str, depth: u32) -> String {
        let n = self.random.below(14);
        match self.random.below(10) {
            0 => format!("upper({a})"),
            1 => format!("lower({a})"),
            2 => format!("({a} || {})", self.of(Class::Text, depth)),
            3 => format!("substr({a}, {}, {n})", self.random.below(4) + 1),
            4 => format!("trim({a})"),
            5 => format!("replace({a}, 'a', 'xyz')"),
            6 => format!("left({a}, {n})"),
            7 => format!("right({a}, {n})"),
            8 => format!("concat({a}, '-', {})", self.of(Class::Text, depth)),
            _ => format!("cast({} as varchar)", self.of(Class::Int, depth)),
        }
    }

    /// A condition.
    pub fn truth(&mut self, depth: u32) -> String {
        if depth == 0 {
            return match self.random.below(3) {
                0 => self.leaf(Class::Bool),
                _ => self.comparison(0),
            };
        }
        let next = depth - 1;
        match self.random.below(14) {
            0 | 1 => format!("({} and {})", self.truth(next), self.truth(next)),
            2 | 3 => format!("({} or {})", self.truth(next), self.truth(next)),
            4 => format!("(not {})", self.truth(next)),
            5 => {
                let test = pick(
                    self.random,
                    &["is true", "is not true", "is false", "is not false"],
                );
                format!("({} {test})", self.truth(next))
            }
            6 => {
                let class = self.class();
                let test = pick(self.random, &["is null", "is not null"]);
                format!("({} {test})", self.of(class, next))
            }
            7 => {
                let class = self.class();
                let list: Vec<String> = (0..=self.random.below(5)).map(|_| self.literal(class)).collect();
                let not = pick(self.random, &["", " not"]);
                format!("({}{not} in ({}))", self.of(class, next), list.join(", "))
            }
            8 | 9 => {
                let word = pick(self.random, &["like", "not like", "ilike"]);
                format!(
                    "({} {word} '{}')",
                    self.of(Class::Text, next),
                    pick(self.random, &PATTERNS)
                )
            }
            10 => {
                let class = self.class();
                let (low, high) = (self.literal(class), self.literal(class));
                let not = pick(self.random, &["", " not"]);
                format!("({}{not} between {low} and {high})", self.of(class, next))
            }
            _ => self.comparison(next),
        }
    }

    /// Two values of one class, or of two that are compared as numbers.
    fn comparison(&mut self, depth: u32) -> String {
        let class = self.class();
        let right = match class {
            Class::Int if self.random.chance(15) => Class::Decimal,
            Class::Int if self.random.chance(15) => Class::Float,
            _ => class,
        };
        let operator = pick(self.random, &COMPARISONS);
        // Large values are for comparisons too.
        let left = match self.random.chance(50) {
            true => self.column(class),
            false => None,
        };
        let left = left.unwrap_or_else(|| self.of(class, depth));
        format!("({left} {operator} {})", self.of(right, depth))
    }
}

/// The type that stands for a class.
pub fn sql_type(class: Class) -> &'static str {
    match class {
        Class::Bool => "boolean",
        Class::Int => "bigint",
        Class::Float => "double",
        Class::Decimal => "decimal(38, 6)",
        Class::Date => "date",
        Class::Stamp => "timestamp",
        Class::Text => "varchar",
    }
}
