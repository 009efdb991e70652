//! A random statement as a tree, so that parts of it can be left out. In: parts, whose expressions are text. Out: SQL,
//! and all trees that have one part less.

use std::fmt;

/// A whole statement.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    /// What is combined, from left to right.
    pub first: Select,
    /// `UNION ALL` and the like, each with what it adds.
    pub more: Vec<(&'static str, Select)>,
    /// What follows `ORDER BY`; names all columns, so that no two different rows may change places.
    pub order: Vec<String>,
    /// `LIMIT 3 OFFSET 1`; only with an order.
    pub limit: String,
}

/// One `SELECT`.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// Whether it is `DISTINCT`.
    pub distinct: bool,
    /// Expressions, which leave as `c0`, `c1` and so on.
    pub items: Vec<String>,
    /// The first relation and those joined to it.
    pub from: Vec<Joined>,
    /// Joined by `AND`.
    pub filters: Vec<String>,
    /// What follows `GROUP BY`.
    pub keys: Vec<String>,
    /// `rollup` or `cube` of them; empty for plain groups.
    pub sets: &'static str,
    /// Joined by `AND`.
    pub having: Vec<String>,
}

/// A relation and how it joins those before it.
#[derive(Debug, Clone)]
pub struct Joined {
    /// `left join`; empty for the first.
    pub kind: &'static str,
    /// What is read.
    pub relation: Relation,
    /// Its name in the statement.
    pub alias: String,
    /// Joined by `AND`; none for a cross join.
    pub on: Vec<String>,
}

/// What is read.
#[derive(Debug, Clone)]
pub enum Relation {
    /// A table.
    Table(&'static str),
    /// A derived table.
    Derived(Box<Select>),
}

impl Statement {
    /// Whether it is the different values of a floating-point column, of which DataFusion cannot tell the first few where
    /// there is NaN among them.
    pub fn is_distinct_float(&self) -> bool {
        let is_one_float = matches!(&self.first.items[..], [item] if item.ends_with(" as double)"));
        let is_distinct = match self.more.last() {
            None => self.first.distinct,
            Some((operator, _)) => *operator == "union",
        };
        is_distinct && is_one_float
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        for (operator, select) in &self.more {
            write!(f, " {operator} {select}")?;
        }
        if !self.order.is_empty() {
            write!(f, " order by {}", self.order.join(", "))?;
        }
        match self.limit.is_empty() {
            true => Ok(()),
            false => write!(f, " {}", self.limit),
        }
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items.iter().enumerate();
        let items: Vec<String> = items.map(|(at, item)| format!("{item} as c{at}")).collect();
        let distinct = if self.distinct { "distinct " } else { "" };
        write!(f, "select {distinct}{} from", items.join(", "))?;
        for joined in &self.from {
            write!(f, "{joined}")?;
        }
        let (open, close) = match self.sets {
            "" => (String::new(), ""),
            sets => (format!("{sets} ("), ")"),
        };
        for (word, parts, between, end) in [
            (" where ", &self.filters, " and ", ""),
            (&format!(" group by {open}"), &self.keys, ", ", close),
            (" having ", &self.having, " and ", ""),
        ] {
            if !parts.is_empty() {
                write!(f, "{word}{}{end}", parts.join(between))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.kind.is_empty() {
            write!(f, " {}", self.kind)?;
        }
        match &self.relation {
            Relation::Table(name) => write!(f, " {name} {}", self.alias)?,
            Relation::Derived(select) => write!(f, " ({select}) {}", self.alias)?,
        }
        match self.on.is_empty() {
            true => Ok(()),
            false => write!(f, " on {}", self.on.join(" and ")),
        }
    }
}

impl Statement {
    /// Statements with one part less, those that lose most first. Some are no SQL: another part needs what is gone.
    pub fn smaller(&self) -> Vec<Self> {
        let mut found = Vec::new();
        for (_, select) in &self.more {
            found.push(Self {
                first: select.clone(),
                ..Self::default()
            });
        }
        if !self.more.is_empty() {
            found.push(Self {
                first: self.first.clone(),
                ..Self::default()
            });
        }
        for joined in &self.first.from {
            if let Relation::Derived(select) = &joined.relation {
                found.push(Self {
                    first: (**select).clone(),
                    ..Self::default()
                });
            }
        }
        if !self.limit.is_empty() {
            found.push(Self {
                limit: String::new(),
                ..self.clone()
            });
        } else if !self.order.is_empty() {
            found.push(Self {
                order: Vec::new(),
                ..self.clone()
            });
        }
        if self.more.is_empty() && self.order.is_empty() {
            found.extend(self.first.smaller().into_iter().map(|first| Self {
                first,
                ..Self::default()
            }));
        }
        found
    }
}

impl Select {
    fn smaller(&self) -> Vec<Self> {
        let mut found = Vec::new();
        if self.from.len() > 1 {
            let mut less = self.clone();
            less.from.pop();
            found.push(less);
            let mut less = self.clone();
            less.from.remove(0);
            less.from[0].kind = "";
            less.from[0].on.clear();
            found.push(less);
        }
        let lists: [fn(&mut Self) -> &mut Vec<String>; 4] = [
            |select| &mut select.filters,
            |select| &mut select.having,
            |select| &mut select.keys,
            |select| &mut select.items,
        ];
        for list in lists {
            let mut select = self.clone();
            for at in 0..list(&mut select).len() {
                let mut less = self.clone();
                list(&mut less).remove(at);
                found.push(less);
            }
        }
        found.retain(|select| !select.items.is_empty());
        for at in 0..self.from.len() {
            for part in 0..self.from[at].on.len() {
                if self.from[at].on.len() > 1 {
                    let mut less = self.clone();
                    less.from[at].on.remove(part);
                    found.push(less);
                }
            }
            if let Relation::Derived(derived) = &self.from[at].relation {
                for smaller in derived.smaller() {
                    let mut less = self.clone();
                    less.from[at].relation = Relation::Derived(Box::new(smaller));
                    found.push(less);
                }
            }
        }
        if !self.sets.is_empty() {
            found.push(Self {
                sets: "",
                ..self.clone()
            });
        }
        if self.distinct {
            found.push(Self {
                distinct: false,
                ..self.clone()
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(distinct: bool, operators: &[&'static str]) -> Statement {
        let select = Select {
            distinct,
            items: vec!["cast(x as double)".into()],
            ..Select::default()
        };
        let more = operators.iter().map(|&operator| (operator, Select::default()));
        Statement {
            first: select,
            more: more.collect(),
            ..Statement::default()
        }
    }

    #[test]
    fn different_values_of_a_floating_point_column() {
        for (distinct, operators, expected) in [
            (true, &[][..], true),
            (false, &[], false),
            (false, &["union"], true),
            (false, &["union all", "union"], true),
            (true, &["union all"], false),
            (true, &["union", "except"], false),
        ] {
            let found = statement(distinct, operators).is_distinct_float();
            assert_eq!(found, expected, "{distinct}, {operators:?}");
        }
        let mut two = statement(false, &["union"]);
        two.first.items.push("cast(y as double)".into());
        assert!(!two.is_distinct_float());
    }
}
