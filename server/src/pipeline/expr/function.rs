//! The scalar functions that have code, by DataFusion's names: aliases are sorted out before.

macro_rules! functions {
    ($($name:ident = $sql:literal, $makes_strings:literal;)*) => {
        /// A scalar function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Function {
            $($name,)*
        }

        impl Function {
            /// The function of that name.
            pub fn of(name: &str) -> Option<Self> {
                match name {
                    $($sql => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name that SQL calls it by.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $sql,)*
                }
            }

            /// Whether its results are strings that need room.
            pub(crate) fn makes_strings(self) -> bool {
                match self {
                    $(Self::$name => $makes_strings,)*
                }
            }
        }
    };
}

functions! {
    NullIf = "nullif", false;
    Greatest = "greatest", false;
    Least = "least", false;
    Abs = "abs", false;
    Ceil = "ceil", false;
    Floor = "floor", false;
    Round = "round", false;
    Signum = "signum", false;
    Sqrt = "sqrt", false;
    Exp = "exp", false;
    Ln = "ln", false;
    Log2 = "log2", false;
    Log10 = "log10", false;
    Power = "power", false;
    Sin = "sin", false;
    Cos = "cos", false;
    Tan = "tan", false;
    Cot = "cot", false;
    Asin = "asin", false;
    Acos = "acos", false;
    Atan = "atan", false;
    Atan2 = "atan2", false;
    Sinh = "sinh", false;
    Cosh = "cosh", false;
    Tanh = "tanh", false;
    Cbrt = "cbrt", false;
    Degrees = "degrees", false;
    Radians = "radians", false;
    Trunc = "trunc", false;
    IsNan = "isnan", false;
    IsZero = "iszero", false;
    Nanvl = "nanvl", false;
    DateBin = "date_bin", false;
    DatePart = "date_part", false;
    DateTrunc = "date_trunc", false;
    Substr = "substr", false;
    Left = "left", false;
    Right = "right", false;
    CharacterLength = "character_length", false;
    OctetLength = "octet_length", false;
    BitLength = "bit_length", false;
    Ascii = "ascii", false;
    Btrim = "btrim", false;
    Ltrim = "ltrim", false;
    Rtrim = "rtrim", false;
    SplitPart = "split_part", false;
    StartsWith = "starts_with", false;
    EndsWith = "ends_with", false;
    Contains = "contains", false;
    Strpos = "strpos", false;
    Upper = "upper", true;
    Lower = "lower", true;
    Concat = "concat", true;
    ConcatWs = "concat_ws", true;
    Replace = "replace", true;
    Reverse = "reverse", true;
    Lpad = "lpad", true;
    Rpad = "rpad", true;
    Repeat = "repeat", true;
    Translate = "translate", true;
    Initcap = "initcap", true;
    ToHex = "to_hex", true;
    Chr = "chr", true;
    Overlay = "overlay", true;
    Levenshtein = "levenshtein", true;
    Encode = "encode", true;
    Decode = "decode", true;
    RegexpLike = "regexp_like", false;
    RegexpCount = "regexp_count", false;
    RegexpInstr = "regexp_instr", false;
    RegexpReplace = "regexp_replace", true;
}
