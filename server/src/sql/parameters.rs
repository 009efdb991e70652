//! A statement's parameters: their types before they are bound, and binding them.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;

use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;

/// One `$n` of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its type where the statement fixes one.
    pub data_type: Option<DataType>,
}

/// A parameter whose type the statement leaves open is described to clients as text: every client
/// can bind it, and a value of another type keeps its own.
const OPEN_TYPE: DataType = DataType::Utf8;

/// The parameters of a plan, in order.
///
/// # Errors
/// `Sql` if a name is not `$1`, `$2`, ... or one is left out.
pub fn of(plan: &LogicalPlan) -> Result<Vec<Parameter>> {
    let mut numbered = Vec::new();
    for (name, data_type) in plan.get_parameter_types().map_err(from_datafusion)? {
        let number = name
            .strip_prefix('$')
            .and_then(|digits| digits.parse::<usize>().ok());
        match number {
            Some(number) if number > 0 => numbered.push((number, data_type)),
            _ => {
                return Err(Error::sql(format!(
                    "placeholder {name}: expected ? or $1, $2, ..."
                )));
            }
        }
    }
    numbered.sort_by_key(|(number, _)| *number);
    for (index, (number, _)) in numbered.iter().enumerate() {
        if *number != index + 1 {
            return Err(Error::sql(format!(
                "placeholder ${}: missing, though there is ${number}",
                index + 1
            )));
        }
    }
    Ok(numbered
        .into_iter()
        .map(|(_, data_type)| Parameter { data_type })
        .collect())
}

/// The parameters with the types of bound columns where the statement leaves them open.
pub fn typed(parameters: &[Parameter], bound: &Schema) -> Vec<Parameter> {
    let typed = |(parameter, field): (&Parameter, &FieldRef)| match &parameter.data_type {
        None | Some(DataType::Null) => Parameter {
            data_type: Some(field.data_type().clone()),
        },
        Some(_) => parameter.clone(),
    };
    parameters.iter().zip(bound.fields()).map(typed).collect()
}

/// The columns that a client binds, one a parameter.
pub fn client_schema(parameters: &[Parameter]) -> Schema {
    let field = |(index, parameter): (usize, &Parameter)| {
        let data_type = match &parameter.data_type {
            Some(DataType::Null) | None => OPEN_TYPE,
            Some(data_type) => data_type.clone(),
        };
        Field::new(format!("${}", index + 1), data_type, true)
    };
    Schema::new(parameters.iter().enumerate().map(field).collect::<Fields>())
}

/// The schema of a result before its parameters are known: as if each were NULL of its type.
///
/// # Errors
/// `Sql` if the statement cannot be typed.
pub fn schema(plan: &LogicalPlan, parameters: &[Parameter], state: &SessionState) -> Result<Schema> {
    // Text first, as clients are told; but `? + ?` has no meaning for text, and some for numbers.
    let as_text = analysed(plan, parameters, state, &OPEN_TYPE);
    let analysed =
        as_text.or_else(|error| analysed(plan, parameters, state, &DataType::Int64).map_err(|_| error))?;
    // Bound to NULL, nothing can be said of what is nullable.
    let fields = analysed
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    Ok(Schema::new(fields.collect::<Fields>()))
}

/// The analysed plan with NULLs for parameters, those whose type is open being of `open_type`.
fn analysed(
    plan: &LogicalPlan,
    parameters: &[Parameter],
    state: &SessionState,
    open_type: &DataType,
) -> Result<LogicalPlan> {
    let null = |parameter: &Parameter| match &parameter.data_type {
        None | Some(DataType::Null) => ScalarValue::try_from(open_type),
        Some(data_type) => ScalarValue::try_from(data_type),
    };
    let nulls = parameters
        .iter()
        .map(null)
        .collect::<datafusion::common::Result<Vec<_>>>();
    let bound = replace(plan.clone(), nulls.map_err(from_datafusion)?)?;
    let analyzer = state.analyzer();
    analyzer
        .execute_and_check(bound, state.config_options(), |_, _| {})
        .map_err(from_datafusion)
}

/// The plan with the values of one row in place of its placeholders.
///
/// # Errors
/// `Sql` if the number of values is not the number of parameters, or a value cannot be cast to its type.
pub fn bind(
    plan: &LogicalPlan,
    parameters: &[Parameter],
    row: &RecordBatch,
    index: usize,
) -> Result<LogicalPlan> {
    if row.num_columns() != parameters.len() {
        return Err(Error::sql(format!(
            "found {} values, expected {}: one for each parameter",
            row.num_columns(),
            parameters.len()
        )));
    }
    let mut values = Vec::with_capacity(parameters.len());
    for (number, (parameter, column)) in parameters.iter().zip(row.columns()).enumerate() {
        let value = ScalarValue::try_from_array(column, index).map_err(from_datafusion)?;
        values.push(match &parameter.data_type {
            Some(data_type) if *data_type != value.data_type() => value
                .cast_to(data_type)
                .map_err(|error| from_datafusion(error).context(format_args!("parameter ${}", number + 1)))?,
            _ => value,
        });
    }
    replace(plan.clone(), values)
}

fn replace(plan: LogicalPlan, values: Vec<ScalarValue>) -> Result<LogicalPlan> {
    let values = values.into_iter().map(ScalarAndMetadata::from).collect();
    plan.replace_params_with_values(&ParamValues::List(values))
        .map_err(from_datafusion)
}
