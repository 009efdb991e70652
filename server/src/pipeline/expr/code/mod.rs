//! The statements that compute expressions for one row. In: expressions and how their columns are held. Out: CUDA C++
//! for the body of a kernel's loop, and the block of literals that it reads.
//!
//! In scope of the statements are `const WfColumn* columns`, `u64 row`, `const u8* literals`, `WfError* error`,
//! `bool active` (false for rows beyond the end or filtered out: those load nothing, raise nothing and take no room)
//! and, if an expression makes strings, `WfHeap* heap`.
//!
//! Rules that all of it keeps: a value is safe to compute with also where it is null or the row is not active, though
//! it then means nothing; a string is then a reference to readable bytes or to none. An error is raised only for
//! active rows whose operands are not null. Decimals are computed in 64 bits as long as their size is sure to fit.

mod arithmetic;
mod block;
mod call;
mod case;
mod cast;
mod compare;
mod decimal;
mod in_list;
mod like;
mod literal;
mod logic;
mod regex;
mod temporal;

use std::collections::HashMap;
use std::fmt::{Display, Write};

use arrow::datatypes::DataType;

pub use self::block::Literals;
use super::{Expr, Node};
use crate::batch::Repr;

/// How a column of the input is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnShape {
    /// The form of its values.
    pub repr: Repr,
    /// Whether it has a validity bitmap.
    pub nullable: bool,
    /// The list of row numbers that it is read through, if it is.
    pub through: Option<Through>,
}

/// A list of row numbers: a pseudo-column behind all columns, whose values are 32 bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Through {
    /// Which list.
    pub list: usize,
    /// Whether some numbers stand for no row: values are null there.
    pub may_miss: bool,
    /// Whether they are codes of a dictionary.
    pub are_codes: bool,
}

impl ColumnShape {
    /// Whether what is made for this shape is right for `other` too, because it only adds that rows may be null.
    pub fn covers(&self, other: &Self) -> bool {
        let through = match (self.through, other.through) {
            (Some(all), Some(one)) => {
                let alike = all.list == one.list && all.are_codes == one.are_codes;
                alike && (all.may_miss || !one.may_miss)
            }
            (all, one) => all == one,
        };
        self.repr == other.repr && through && (self.nullable || !other.nullable)
    }
}

/// A computed value.
#[derive(Debug, Clone)]
pub struct Value {
    /// The value: a variable, or a short expression without side effects.
    pub text: String,
    /// Whether it is not null: a boolean like that; `None` if it never is.
    pub valid: Option<String>,
    /// The C++ type that it has.
    pub repr: Repr,
    /// For decimals, the largest absolute value that it can have; `None` if it may fill 128 bits.
    pub most: Option<u128>,
}

/// What has been computed where it can still be seen.
#[derive(Debug, Default)]
struct Scope {
    values: HashMap<Expr, Value>,
    columns: HashMap<usize, Value>,
    /// The variable that holds the present row's number in a list.
    numbers: HashMap<usize, String>,
}

/// Statements put aside: they become part of the text inside a branch, or as they are.
struct Piece<T> {
    text: String,
    scope: Scope,
    /// Whether they may raise or take room, or are long: then they belong inside a branch.
    has_effects: bool,
    result: T,
}

/// A text under construction.
#[derive(Debug)]
pub struct Code {
    columns: Vec<ColumnShape>,
    text: String,
    scopes: Vec<Scope>,
    names: usize,
    literals: Literals,
    effects: usize,
    /// Whether strings are made: where there is no room for one, what is raised of it means nothing.
    takes_room: bool,
}

impl Code {
    /// No statements yet, over columns of these shapes.
    pub fn new(columns: Vec<ColumnShape>) -> Self {
        Self {
            columns,
            text: String::new(),
            scopes: vec![Scope::default()],
            names: 0,
            literals: Literals::default(),
            effects: 0,
            takes_room: false,
        }
    }

    /// Appends what computes `expr`, and returns it in the form that columns of its type have.
    ///
    /// # Errors
    /// The reason in words why there is no code for it.
    pub fn value(&mut self, expr: &Expr) -> Result<Value, String> {
        let value = self.narrow_value(expr)?;
        Ok(widened(value, expr.repr()?))
    }

    /// The same in the narrowest form: a decimal of high precision whose size is sure to fit is an `i64`.
    ///
    /// # Errors
    /// The reason in words why there is no code for it.
    pub fn narrow_value(&mut self, expr: &Expr) -> Result<Value, String> {
        match &expr.node {
            Node::Column(index, name) => return self.column(*index, name.as_str(), &expr.data_type),
            Node::Literal(value) => return self.literal(value),
            Node::Subquery(subquery) => return self.literal(&subquery.value(&expr.data_type)?),
            _ => {}
        }
        if let Some(known) = self.scopes.iter().rev().find_map(|scope| scope.values.get(expr)) {
            return Ok(known.clone());
        }
        let value = match &expr.node {
            Node::Column(..) | Node::Literal(_) | Node::Subquery(_) => return Err("unreachable".to_owned()),
            Node::Binary(operator, left, right) => self.binary(expr, *operator, left, right)?,
            Node::Not(value) => self.not(value)?,
            Node::IsNull(value) => self.is_null(value, true)?,
            Node::IsNotNull(value) => self.is_null(value, false)?,
            Node::Negative(value) => self.negative(value)?,
            Node::Cast { value, safe } => self.cast(value, &expr.data_type, *safe)?,
            Node::Case {
                base,
                branches,
                otherwise,
            } => self.case(expr, base.as_deref(), branches, otherwise.as_deref())?,
            Node::InList { value, list, negated } => self.in_list(value, list, *negated)?,
            Node::Like {
                value,
                pattern,
                negated,
                fold,
            } => self.like(value, pattern, *negated, *fold)?,
            Node::Call(function, args) => self.call(expr, *function, args)?,
        };
        let scope = self.scopes.last_mut().ok_or("no scope is open")?;
        scope.values.insert(expr.clone(), value.clone());
        Ok(value)
    }

    /// The statements so far; later ones still see what these computed.
    pub fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Appends statements of the caller's. Braces belong into [`Code::open`] and [`Code::close`].
    pub fn write(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends `header {`: what is computed from here on is seen until the scope is closed.
    pub fn open(&mut self, header: &str) {
        self.line(format_args!("{header} {{"));
        self.scopes.push(Scope::default());
    }

    /// Closes the scope that was opened last.
    pub fn close(&mut self) {
        self.scopes.pop();
        self.line("}");
    }

    /// A variable's name that nothing else has.
    pub fn name(&mut self) -> String {
        self.names += 1;
        format!("x{}", self.names - 1)
    }

    /// The contents of the block of literals, which must lie at an address that is a multiple of 16.
    pub fn literals(&self) -> Vec<u8> {
        self.literals.bytes()
    }

    fn line(&mut self, text: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{text}");
    }

    /// A new constant of a type.
    fn bind(&mut self, c_type: &str, value: impl Display) -> String {
        let name = self.name();
        self.line(format_args!("const {c_type} {name} = {value};"));
        name
    }

    fn bind_bool(&mut self, value: impl Display) -> String {
        self.bind("bool", value)
    }

    /// A value that is null where one of `valid` says so.
    fn bind_value(&mut self, repr: Repr, value: impl Display, valid: Option<String>) -> Value {
        Value {
            text: self.bind(repr.c_type(), value),
            valid,
            repr,
            most: None,
        }
    }

    /// A floating-point number that was computed of `operands`, with the CPU's NaN.
    fn bind_float(
        &mut self,
        repr: Repr,
        computed: impl Display,
        operands: &[&str],
        valid: Option<String>,
    ) -> Value {
        match repr {
            Repr::F32 => {
                let of = operands.join(", ");
                self.bind_value(repr, format_args!("wf_float_of({computed}, {of})"), valid)
            }
            _ => self.bind_value(repr, computed, valid),
        }
    }

    /// Whether both are valid.
    fn both(&mut self, left: &Option<String>, right: &Option<String>) -> Option<String> {
        match (left, right) {
            (None, other) | (other, None) => other.clone(),
            (Some(left), Some(right)) if left == right => Some(left.clone()),
            (Some(left), Some(right)) => Some(self.bind_bool(format_args!("{left} && {right}"))),
        }
    }

    /// Raises `flag` for rows that are active, not null, and meet `condition`.
    fn raise(&mut self, flag: &str, valid: &Option<String>, condition: impl Display) {
        self.effects += 1;
        let valid = valid
            .as_ref()
            .map(|valid| format!("{valid} && "))
            .unwrap_or_default();
        let room = if self.takes_room {
            " && wf_has_room(heap)"
        } else {
            ""
        };
        self.line(format_args!(
            "if (active && {valid}({condition}){room}) wf_raise(error, WF_{flag}, row);"
        ));
    }

    /// Writes statements aside.
    fn aside<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<Piece<T>, String> {
        let outer = std::mem::take(&mut self.text);
        let effects = self.effects;
        self.scopes.push(Scope::default());
        let result = write(self);
        let scope = self.scopes.pop().unwrap_or_default();
        let text = std::mem::replace(&mut self.text, outer);
        Ok(Piece {
            text,
            scope,
            has_effects: self.effects > effects,
            result: result?,
        })
    }

    /// Appends what was written aside as it is, so that what follows sees it.
    fn splice<T>(&mut self, piece: Piece<T>) -> T {
        self.text.push_str(&piece.text);
        if let Some(scope) = self.scopes.last_mut() {
            scope.values.extend(piece.scope.values);
            scope.columns.extend(piece.scope.columns);
            scope.numbers.extend(piece.scope.numbers);
        }
        piece.result
    }

    fn column(&mut self, index: usize, name: &str, data_type: &DataType) -> Result<Value, String> {
        if let Some(known) = self
            .scopes
            .iter()
            .rev()
            .find_map(|scope| scope.columns.get(&index))
        {
            return Ok(known.clone());
        }
        let shape = *self
            .columns
            .get(index)
            .ok_or_else(|| format!("column {name} has index {index} of {}", self.columns.len()))?;
        let (row, present) = match shape.through {
            None => ("row".to_owned(), "active".to_owned()),
            Some(through) => {
                let number = self.number(through.list);
                let present = match through.may_miss {
                    true => self.bind_bool(format_args!("active && {number} != WF_NO_ROW")),
                    false => "active".to_owned(),
                };
                (number, present)
            }
        };
        let misses = shape.through.is_some_and(|through| through.may_miss);
        let valid = match (shape.nullable, misses) {
            (true, _) => Some(self.bind_bool(format_args!(
                "{present} && wf_bit((const u32*)columns[{index}].validity, {row})"
            ))),
            (false, true) => Some(present.clone()),
            (false, false) => None,
        };
        let c_type = shape.repr.c_type();
        let load = match shape.repr {
            // A bitmap of values is there also where it is all ones.
            Repr::Bool => format!("{present} && wf_bit((const u32*)columns[{index}].values, {row})"),
            Repr::Str => format!(
                "{present} ? ((const WfStringRef*)columns[{index}].values)[{row}] : WfStringRef{{0ull, 0u, 0u}}"
            ),
            _ => format!("{present} ? ((const {c_type}*)columns[{index}].values)[{row}] : ({c_type})0"),
        };
        let mut value = self.bind_value(shape.repr, load, valid);
        value.most = decimal::most_of(data_type);
        let scope = self.scopes.last_mut().ok_or("no scope is open")?;
        scope.columns.insert(index, value.clone());
        Ok(value)
    }
}

impl Code {
    /// The present row's number in a list: as bound, or else loaded.
    fn number(&mut self, list: usize) -> String {
        let mut scopes = self.scopes.iter().rev();
        if let Some(known) = scopes.find_map(|scope| scope.numbers.get(&list)) {
            return known.clone();
        }
        let at = self.columns.len() + list;
        let name = self.bind(
            "u32",
            format_args!("active ? ((const u32*)columns[{at}].values)[row] : WF_NO_ROW"),
        );
        self.bind_number(list, name.clone());
        name
    }

    /// Has columns that are read through `list` take the row that the variable `name` holds.
    pub(in crate::pipeline) fn bind_number(&mut self, list: usize, name: String) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.numbers.insert(list, name);
        }
    }
}

/// `value` as `repr`, which can hold it.
fn widened(mut value: Value, repr: Repr) -> Value {
    if value.repr != repr {
        value.text = format!("(({}){})", repr.c_type(), value.text);
        value.repr = repr;
    }
    value
}
