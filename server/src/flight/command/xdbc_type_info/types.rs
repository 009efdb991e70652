//! The types themselves: one entry for each that [`crate::flight::command::sql_type`] names, and
//! further names under which clients look a type up.

use arrow_flight::sql::XdbcDataType::{
    self, XdbcBigint, XdbcBinary, XdbcBit, XdbcDate, XdbcDatetime, XdbcDecimal, XdbcDouble, XdbcFloat,
    XdbcInteger, XdbcInterval, XdbcLongvarbinary, XdbcLongvarchar, XdbcReal, XdbcSmallint, XdbcTime,
    XdbcTimestamp, XdbcTinyint, XdbcUnknownType, XdbcVarbinary, XdbcVarchar,
};
use arrow_flight::sql::{Searchable, XdbcDatetimeSubcode as Subcode};

/// A type as ODBC and JDBC describe it.
#[derive(Debug, Clone, Copy)]
pub struct XdbcType {
    /// Its name.
    pub name: &'static str,
    /// Its code.
    pub code: XdbcDataType,
    /// Digits or bits of a number (see `radix`), characters of a text, a date or a time.
    pub size: Option<i32>,
    /// What stands before and after a literal.
    pub literal: Option<(&'static str, &'static str)>,
    /// What may stand in parentheses behind the name in CREATE TABLE.
    pub create_params: &'static [&'static str],
    /// For numbers: whether they are without sign.
    pub unsigned: Option<bool>,
    /// The least and the most digits after the point, of numbers or of seconds.
    pub scales: Option<(i32, i32)>,
    /// For dates, times and intervals: which of them.
    pub subcode: Option<Subcode>,
    /// What `size` counts: 10 for decimal digits, 2 for bits.
    pub radix: Option<i32>,
    /// For intervals: digits of the leading field.
    pub interval_digits: Option<i32>,
}

impl XdbcType {
    const fn new(name: &'static str, code: XdbcDataType) -> Self {
        Self {
            name,
            code,
            size: None,
            literal: None,
            create_params: &[],
            unsigned: None,
            scales: None,
            subcode: None,
            radix: None,
            interval_digits: None,
        }
    }

    /// A whole number of so many decimal digits.
    const fn whole(name: &'static str, code: XdbcDataType, digits: i32, unsigned: bool) -> Self {
        let new = Self::new(name, code);
        Self {
            size: Some(digits),
            unsigned: Some(unsigned),
            scales: Some((0, 0)),
            radix: Some(10),
            ..new
        }
    }

    /// A floating-point number whose significand has so many bits.
    const fn float(name: &'static str, code: XdbcDataType, bits: i32) -> Self {
        Self {
            size: Some(bits),
            unsigned: Some(false),
            radix: Some(2),
            ..Self::new(name, code)
        }
    }

    /// Text, as long as an array of Arrow can hold.
    const fn text(name: &'static str, code: XdbcDataType, create_params: &'static [&'static str]) -> Self {
        Self {
            size: Some(i32::MAX),
            literal: Some(("'", "'")),
            create_params,
            ..Self::new(name, code)
        }
    }

    /// Bytes, as long as an array of Arrow can hold.
    const fn bytes(name: &'static str, code: XdbcDataType) -> Self {
        Self {
            size: Some(i32::MAX),
            literal: Some(("X'", "'")),
            ..Self::new(name, code)
        }
    }

    /// A date or a time of so many characters, of which up to `decimals` follow a point.
    const fn time(
        name: &'static str,
        code: XdbcDataType,
        subcode: Subcode,
        size: i32,
        decimals: i32,
    ) -> Self {
        Self {
            size: Some(size),
            subcode: Some(subcode),
            scales: Some((0, decimals)),
            ..Self::new(name, code)
        }
    }

    /// Whether values compare as text, upper and lower case apart.
    pub fn is_text(&self) -> bool {
        matches!(self.code, XdbcVarchar | XdbcLongvarchar)
    }

    /// How the type is used in WHERE.
    pub fn searchable(&self) -> Searchable {
        if self.is_text() {
            Searchable::Full
        } else {
            Searchable::Basic
        }
    }

    /// The code of the family of a date, a time or an interval; else the type's own.
    pub fn verbose_code(&self) -> XdbcDataType {
        match self.code {
            XdbcDate | XdbcTime | XdbcTimestamp => XdbcDatetime,
            code => code,
        }
    }
}

/// The code of dates is also that of years, and the crate keeps one name for a number.
const DATE: Subcode = Subcode::XdbcSubcodeYear;

/// All of them.
pub const TYPES: &[XdbcType] = &[
    XdbcType {
        size: Some(1),
        ..XdbcType::new("BOOLEAN", XdbcBit)
    },
    XdbcType::whole("TINYINT", XdbcTinyint, 3, false),
    XdbcType::whole("TINYINT UNSIGNED", XdbcTinyint, 3, true),
    XdbcType::whole("SMALLINT", XdbcSmallint, 5, false),
    XdbcType::whole("SMALLINT UNSIGNED", XdbcSmallint, 5, true),
    XdbcType::whole("INTEGER", XdbcInteger, 10, false),
    XdbcType::whole("INTEGER UNSIGNED", XdbcInteger, 10, true),
    XdbcType::whole("BIGINT", XdbcBigint, 19, false),
    XdbcType::whole("BIGINT UNSIGNED", XdbcBigint, 20, true),
    // 32-bit numbers under both codes: the ODBC and JDBC drivers report such columns as FLOAT,
    // though the standards' name for them is REAL.
    XdbcType::float("FLOAT", XdbcFloat, 24),
    XdbcType::float("REAL", XdbcReal, 24),
    XdbcType::float("DOUBLE", XdbcDouble, 53),
    XdbcType {
        size: Some(76),
        create_params: &["precision", "scale"],
        unsigned: Some(false),
        scales: Some((0, 76)),
        radix: Some(10),
        ..XdbcType::new("DECIMAL", XdbcDecimal)
    },
    XdbcType::text("VARCHAR", XdbcVarchar, &["length"]),
    XdbcType::text("TEXT", XdbcLongvarchar, &[]),
    XdbcType::bytes("BINARY", XdbcBinary),
    XdbcType::bytes("BYTEA", XdbcVarbinary),
    XdbcType::bytes("LONGVARBINARY", XdbcLongvarbinary),
    XdbcType {
        literal: Some(("DATE '", "'")),
        ..XdbcType::time("DATE", XdbcDate, DATE, 10, 0)
    },
    XdbcType {
        literal: Some(("TIME '", "'")),
        ..XdbcType::time("TIME", XdbcTime, Subcode::XdbcSubcodeTime, 18, 9)
    },
    XdbcType {
        literal: Some(("TIMESTAMP '", "'")),
        create_params: &["precision"],
        ..XdbcType::time("TIMESTAMP", XdbcTimestamp, Subcode::XdbcSubcodeTimestamp, 29, 9)
    },
    XdbcType {
        literal: Some(("TIMESTAMPTZ '", "'")),
        ..XdbcType::time(
            "TIMESTAMP WITH TIME ZONE",
            XdbcTimestamp,
            Subcode::XdbcSubcodeTimestampWithTimezone,
            35,
            9,
        )
    },
    // Months, days and nanoseconds in one value: none of the subcodes. The leading field is months
    // in 32 bits.
    XdbcType {
        literal: Some(("INTERVAL '", "'")),
        subcode: Some(Subcode::XdbcSubcodeUnknown),
        interval_digits: Some(10),
        ..XdbcType::new("INTERVAL", XdbcInterval)
    },
    // What ODBC has no code for.
    XdbcType::new("ARRAY", XdbcUnknownType),
    XdbcType::new("DURATION", XdbcUnknownType),
    XdbcType::new("MAP", XdbcUnknownType),
    XdbcType::new("NULL", XdbcUnknownType),
    XdbcType::new("STRUCT", XdbcUnknownType),
    XdbcType::new("UNION", XdbcUnknownType),
];
