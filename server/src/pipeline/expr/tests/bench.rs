//! A device, a small projection kernel around generated code, and the comparison of what it writes with DataFusion.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::physical_expr::PhysicalExpr;
use kernels::{Args, Buffer, Device, DeviceOptions, ErrorFlags, Grid, KernelSource, Reservation, Stream};

use crate::batch::{Repr, bitmap_bytes};
use crate::pipeline::expr::{Code, ColumnShape, Expr, Value, lower};

/// A value of any type: numbers as their bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Datum {
    Null,
    Bits(i128),
    Bytes(Vec<u8>),
}

pub(super) struct Bench {
    device: Device,
    stream: Stream,
    reservation: Reservation,
}

const HEAP_BYTES: usize = 1 << 20;

impl Bench {
    pub(super) fn new() -> Self {
        let cache = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/expression-modules");
        let options = DeviceOptions {
            cache_dir: Some(cache),
            ..DeviceOptions::sim()
        };
        let device = Device::open(&options).expect("the emulation opens");
        let stream = device.stream().expect("stream");
        let reservation = device.reserve(1 << 28).expect("reservation");
        Self {
            device,
            stream,
            reservation,
        }
    }

    fn bytes(&self, bytes: &[u8]) -> Buffer {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len() + 8, 0);
        self.stream
            .upload_values(&self.reservation, &padded)
            .expect("uploaded")
    }

    /// Values and validity of a column, and what its strings are in.
    fn upload(&self, array: &ArrayRef) -> Vec<Buffer> {
        let data = datums(array);
        let repr = Repr::of(array.data_type()).expect("a type of the device");
        let valid: Vec<bool> = data.iter().map(|datum| *datum != Datum::Null).collect();
        let mut buffers = Vec::new();
        let values = match repr {
            Repr::Bool => bitmap(data.iter().map(|datum| *datum == Datum::Bits(1))),
            Repr::Str => {
                let all: Vec<u8> = data
                    .iter()
                    .flat_map(|datum| match datum {
                        Datum::Bytes(bytes) => bytes.clone(),
                        _ => Vec::new(),
                    })
                    .collect();
                buffers.push(self.bytes(&all));
                let mut address = buffers[0].address();
                let mut references = Vec::new();
                for datum in &data {
                    let bytes = match datum {
                        Datum::Bytes(bytes) => bytes.len() as u64,
                        _ => 0,
                    };
                    let start = if *datum == Datum::Null { 0 } else { address };
                    references.extend_from_slice(&start.to_le_bytes());
                    references.extend_from_slice(&bytes.to_le_bytes());
                    address += bytes;
                }
                references
            }
            _ => data
                .iter()
                .flat_map(|datum| {
                    let bits = match datum {
                        Datum::Bits(bits) => *bits,
                        _ => 0,
                    };
                    bits.to_le_bytes()[..repr.width()].to_vec()
                })
                .collect(),
        };
        buffers.insert(0, self.bytes(&bitmap(valid)));
        buffers.insert(0, self.bytes(&values));
        buffers
    }

    /// Computes `exprs` over `batch` both ways.
    #[track_caller]
    pub(super) fn compare(
        &self,
        group: &str,
        batch: &RecordBatch,
        exprs: &[Arc<dyn PhysicalExpr>],
        nullable: bool,
    ) {
        let lowered: Vec<Expr> = exprs
            .iter()
            .map(|expr| lower(expr, &batch.schema()).unwrap_or_else(|reason| panic!("{expr}: {reason}")))
            .collect();
        let found = self.run(group, batch, &lowered, nullable);
        for (index, expr) in exprs.iter().enumerate() {
            let (flags, first, data) = &found[index];
            let whole = expr
                .evaluate(batch)
                .and_then(|value| value.into_array(batch.num_rows()));
            let expected: Vec<Result<Datum, String>> = match &whole {
                Ok(array) => {
                    assert_eq!(*array.data_type(), lowered[index].data_type, "{expr}");
                    datums(array).into_iter().map(Ok).collect()
                }
                Err(_) => (0..batch.num_rows())
                    .map(|row| {
                        let value = expr
                            .evaluate(&batch.slice(row, 1))
                            .and_then(|value| value.into_array(1));
                        value
                            .map(|array| datums(&array).remove(0))
                            .map_err(|error| error.to_string())
                    })
                    .collect(),
            };
            let bad = expected.iter().position(|value| value.is_err());
            let inputs = |row: usize| {
                let columns = lowered[index].columns();
                let texts = columns.iter().map(|column| {
                    let one = batch.column(*column).slice(row, 1);
                    format!("{} = {one:?}", batch.schema().field(*column).name())
                });
                texts.collect::<Vec<_>>().join(", ")
            };
            if let Some(bad) = bad {
                let error = &expected[bad];
                assert!(
                    !flags.is_empty() && *first == bad as u64,
                    "{expr}: DataFusion fails at row {bad}: {error:?}; found {flags} at {first} for {}, and {}",
                    inputs(bad),
                    inputs(*first as usize % batch.num_rows())
                );
            } else {
                assert!(
                    flags.is_empty(),
                    "{expr}: DataFusion does not fail; found {flags} at {first} for {}",
                    inputs(*first as usize)
                );
            }
            for (row, expected) in expected.iter().enumerate() {
                let Ok(expected) = expected else { continue };
                // Which NaN comes out of arithmetic is up to the processor.
                if is_nan(&lowered[index], &data[row]) && is_nan(&lowered[index], expected) {
                    continue;
                }
                assert_eq!(
                    &data[row],
                    expected,
                    "{expr} at row {row} (left: generated, right: DataFusion) for {}",
                    inputs(row)
                );
            }
        }
    }

    /// Flags, the first bad row and the values of each expression.
    pub(super) fn run(
        &self,
        group: &str,
        batch: &RecordBatch,
        exprs: &[Expr],
        nullable: bool,
    ) -> Vec<(ErrorFlags, u64, Vec<Datum>)> {
        let rows = batch.num_rows();
        let uploaded: Vec<Vec<Buffer>> = batch.columns().iter().map(|array| self.upload(array)).collect();
        let table: Vec<u64> = uploaded
            .iter()
            .flat_map(|buffers| {
                [
                    buffers[0].address(),
                    if nullable { buffers[1].address() } else { 0 },
                ]
            })
            .collect();
        let schema = batch.schema();
        let shapes = schema.fields().iter().map(|field| ColumnShape {
            repr: Repr::of(field.data_type()).expect("a type of the device"),
            nullable,
            through: None,
        });
        let (text, literals) = projection(shapes.collect(), exprs);
        let source = KernelSource::generated(group.to_owned(), text, &["project"]);
        let module = self
            .device
            .module(&source)
            .unwrap_or_else(|error| panic!("{group}: {error}"));
        let upload = |values: &[u64]| {
            self.stream
                .upload_values(&self.reservation, values)
                .expect("uploaded")
        };
        let columns = upload(&table);
        let literals = self.bytes(&literals);
        let room = self.bytes(&vec![0; HEAP_BYTES]);
        let heap = upload(&[0, HEAP_BYTES as u64, room.address()]);
        let errors = upload(&[0, u64::MAX].repeat(exprs.len()));
        let outputs: Vec<[Buffer; 2]> = exprs
            .iter()
            .map(|expr| {
                let bytes = expr.repr().expect("a type of the device").bytes(rows);
                [bytes, bitmap_bytes(rows)]
                    .map(|bytes| self.stream.allocate(&self.reservation, bytes).expect("allocated"))
            })
            .collect();
        let addresses: Vec<u64> = outputs.iter().flatten().map(Buffer::address).collect();
        let targets = upload(&addresses);
        let mut args = Args::new()
            .buffer(&columns)
            .value(rows as u64)
            .buffer(&literals)
            .buffer(&heap)
            .buffer(&targets)
            .buffer(&errors)
            .also_uses(&room);
        for buffer in uploaded.iter().flatten().chain(outputs.iter().flatten()) {
            args = args.also_uses(buffer);
        }
        let kernel = module.kernel("project").expect("kernel");
        self.stream
            .launch(&kernel, Grid::new(2, 64), &args)
            .expect("launched");
        self.stream
            .synchronize_sync()
            .unwrap_or_else(|error| panic!("{group}: {error}"));
        let errors: Vec<u64> = self.stream.read_sync(errors.view()).expect("read");
        let heap: Vec<u64> = self.stream.read_sync(heap.view()).expect("read");
        assert!(heap[0] <= heap[1], "{group}: strings of {} bytes", heap[0]);
        let room_bytes: Vec<u8> = self.stream.read_sync(room.view()).expect("read");
        // Where strings can lie: what they are made from, and what is made.
        let mut places: Vec<(u64, Vec<u8>)> = vec![(room.address(), room_bytes)];
        for buffer in uploaded
            .iter()
            .filter_map(|buffers| buffers.get(2))
            .chain([&literals])
        {
            places.push((
                buffer.address(),
                self.stream.read_sync(buffer.view()).expect("read"),
            ));
        }
        exprs
            .iter()
            .zip(&outputs)
            .enumerate()
            .map(|(index, (expr, [values, validity]))| {
                let values: Vec<u8> = self.stream.read_sync(values.view()).expect("read");
                let validity: Vec<u8> = self.stream.read_sync(validity.view()).expect("read");
                let repr = expr.repr().expect("a type of the device");
                let data = (0..rows)
                    .map(|row| read(repr, &values, &validity, row, &places))
                    .collect();
                (ErrorFlags(errors[index * 2]), errors[index * 2 + 1], data)
            })
            .collect()
    }
}

fn is_nan(expr: &Expr, datum: &Datum) -> bool {
    match (&expr.data_type, datum) {
        (DataType::Float32, Datum::Bits(bits)) => f32::from_bits(*bits as u32).is_nan(),
        (DataType::Float64, Datum::Bits(bits)) => f64::from_bits(*bits as u64).is_nan(),
        _ => false,
    }
}

/// The kernel that writes all of `exprs`, and its block of literals.
pub(super) fn projection(shapes: Vec<ColumnShape>, exprs: &[Expr]) -> (String, Vec<u8>) {
    let mut code = Code::new(shapes);
    code.write(
        "WF_KERNEL(256) project(const WfColumn* columns, u64 rows, const u8* literals, WfHeap* heap,\n\
         const u64* outputs, WfError* errors) {\n\
         for (u64 base = wf_grid_thread() & ~31ull; base < rows; base += wf_grid_threads()) {\n\
         const u64 row = base + wf_lane_id();\n\
         bool active = row < rows;\n",
    );
    for (index, expr) in exprs.iter().enumerate() {
        code.open("");
        code.write(&format!("WfError* error = errors + {index};\n"));
        let value = code
            .value(expr)
            .unwrap_or_else(|reason| panic!("{expr}: {reason}"));
        store(&mut code, index, &value);
        code.close();
    }
    code.write("}\n}\n");
    (code.take_text(), code.literals())
}

fn store(code: &mut Code, index: usize, value: &Value) {
    let valid = value.valid.as_deref().unwrap_or("true");
    let mut ballot = |of: &str, target: usize| {
        let bits = code.name();
        code.write(&format!(
            "const u32 {bits} = __ballot_sync(WF_ALL_LANES, active && {valid} && {of});\n\
             if (wf_lane_id() == 0) ((u32*)outputs[{target}])[base >> 5] = {bits};\n"
        ));
    };
    ballot("true", index * 2 + 1);
    if value.repr == Repr::Bool {
        ballot(&value.text, index * 2);
    } else {
        let (c_type, text) = (value.repr.c_type(), &value.text);
        let null = if value.repr == Repr::Str {
            "WfStringRef{0ull, 0u, 0u}".to_owned()
        } else {
            format!("({c_type})0")
        };
        code.write(&format!(
            "if (active) (({c_type}*)outputs[{}])[row] = {valid} ? {text} : {null};\n",
            index * 2
        ));
    }
}

fn read(repr: Repr, values: &[u8], validity: &[u8], row: usize, places: &[(u64, Vec<u8>)]) -> Datum {
    let bit = |bits: &[u8]| bits[row / 8] >> (row % 8) & 1 == 1;
    if !bit(validity) {
        return Datum::Null;
    }
    if repr == Repr::Bool {
        return Datum::Bits(bit(values).into());
    }
    let bytes = &values[row * repr.width()..][..repr.width()];
    if repr != Repr::Str {
        return Datum::Bits(bits(bytes));
    }
    let address = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
    let length = u32::from_le_bytes(bytes[8..12].try_into().expect("4 bytes")) as usize;
    if length == 0 {
        return Datum::Bytes(Vec::new());
    }
    let (start, place) = places
        .iter()
        .find(|(start, place)| (*start..*start + place.len() as u64).contains(&address))
        .unwrap_or_else(|| panic!("a string of {length} bytes at {address:#x} lies nowhere"));
    Datum::Bytes(place[(address - start) as usize..][..length].to_vec())
}

/// Bytes of a number as its bits, without a sign.
fn bits(bytes: &[u8]) -> i128 {
    let mut all = [0; 16];
    all[..bytes.len()].copy_from_slice(bytes);
    i128::from_le_bytes(all)
}

fn bitmap(bits: impl IntoIterator<Item = bool>) -> Vec<u8> {
    let bits: Vec<bool> = bits.into_iter().collect();
    let mut bytes = vec![0; bitmap_bytes(bits.len())];
    for (row, bit) in bits.iter().enumerate() {
        bytes[row / 8] |= u8::from(*bit) << (row % 8);
    }
    bytes
}

/// The values of an array.
pub(super) fn datums(array: &ArrayRef) -> Vec<Datum> {
    let repr = Repr::of(array.data_type()).unwrap_or_else(|| panic!("{}", array.data_type()));
    let rows = 0..array.len();
    let one: Box<dyn Fn(usize) -> Datum> = match (repr, array.data_type()) {
        (Repr::Bool, _) => {
            let array = array.as_boolean().clone();
            Box::new(move |row| Datum::Bits(array.value(row).into()))
        }
        (Repr::Str, data_type) => {
            let target = if data_type.is_string() {
                DataType::LargeUtf8
            } else {
                DataType::LargeBinary
            };
            let bytes = cast(&cast(array, &target).expect("cast"), &DataType::LargeBinary).expect("cast");
            Box::new(move |row| Datum::Bytes(bytes.as_binary::<i64>().value(row).to_vec()))
        }
        (_, DataType::Decimal128(..)) => {
            let array = array.as_primitive::<Decimal128Type>().clone();
            let width = repr.width();
            Box::new(move |row| Datum::Bits(bits(&array.value(row).to_le_bytes()[..width])))
        }
        _ => {
            let data = array.to_data();
            let bytes = data.buffers()[0].as_slice()[data.offset() * repr.width()..].to_vec();
            let width = repr.width();
            Box::new(move |row| Datum::Bits(bits(&bytes[row * width..][..width])))
        }
    };
    rows.map(|row| if array.is_null(row) { Datum::Null } else { one(row) })
        .collect()
}
