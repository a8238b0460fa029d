//! What lies inside a module: memories, tables, names and the marks of the tools that made it, at every level of nesting.
//!
//! The file has been validated, and whoever made it may be hostile all the same: nothing here recurses, and lists are cut.

use crate::limits;
use wasmparser::{
    BinaryReaderError, CustomSectionReader, KnownCustom, MemoryType, Name, Parser, Payload, TableType,
};

/// What made a module: one entry of the tool conventions' section `producers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// `language`, `processed-by` or `sdk`.
    pub role: String,
    /// Such as `Rust`.
    pub name: String,
    /// Empty when the tool does not say.
    pub version: String,
}

/// Linear memories, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memories {
    /// How many there are.
    pub count: usize,
    /// Their size at the start of a call.
    pub initial_bytes: u64,
    /// Their own bound; none when one of them has none.
    pub maximum_bytes: Option<u64>,
}

/// Tables, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// How many there are.
    pub count: usize,
    /// Their entries at the start of a call.
    pub initial_elements: u64,
    /// Their own bound; none when one of them has none.
    pub maximum_elements: Option<u64>,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) tools: Vec<Tool>,
    pub(super) core_modules: usize,
    pub(super) memories: Memories,
    pub(super) tables: Tables,
    pub(super) has_function_names: bool,
}

/// Reads a valid file.
pub(super) fn read(wasm: &[u8], is_core: bool) -> Result<Contents, BinaryReaderError> {
    let mut reading = Reading::default();
    if is_core {
        reading.enter(wasm.len());
    }
    for payload in Parser::new(0).parse_all(wasm) {
        reading.take(payload?)?;
    }
    Ok(reading.contents())
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    tools: Vec<Tool>,
    core_modules: usize,
    memories: Memories,
    tables: Tables,
    maximum_bytes: Bound,
    maximum_elements: Bound,
    /// Size of the core module that is being read. Core modules hold no others, so it is the newest one.
    module_bytes: usize,
    /// The largest core module so far, and whether it names its functions.
    largest: (usize, bool),
}

/// A sum of bounds, until one is missing.
#[derive(Default)]
struct Bound {
    sum: u64,
    missing: bool,
}

impl Bound {
    fn add(&mut self, bound: Option<u64>) {
        self.sum = self.sum.saturating_add(bound.unwrap_or_default());
        self.missing |= bound.is_none();
    }

    fn get(&self) -> Option<u64> {
        Some(self.sum).filter(|_| !self.missing)
    }
}

impl Reading {
    fn enter(&mut self, module_bytes: usize) {
        self.core_modules += 1;
        self.module_bytes = module_bytes;
        if module_bytes > self.largest.0 {
            self.largest = (module_bytes, false);
        }
    }

    fn take(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        if let Payload::ModuleSection { unchecked_range, .. } = payload {
            self.enter(unchecked_range.len());
        } else if let Payload::MemorySection(section) = payload {
            for memory in section {
                self.memory(memory?);
            }
        } else if let Payload::TableSection(section) = payload {
            for table in section {
                self.table(table?.ty);
            }
        } else if let Payload::CustomSection(section) = payload {
            // Nobody validates custom sections: a broken one says nothing.
            drop(self.custom(&section));
        }
        Ok(())
    }

    fn memory(&mut self, memory: MemoryType) {
        let page_bytes = 1_u64 << memory.page_size_log2.unwrap_or(16).min(16);
        self.memories.count += 1;
        self.memories.initial_bytes =
            self.memories.initial_bytes.saturating_add(memory.initial.saturating_mul(page_bytes));
        self.maximum_bytes.add(memory.maximum.map(|pages| pages.saturating_mul(page_bytes)));
    }

    fn table(&mut self, table: TableType) {
        self.tables.count += 1;
        self.tables.initial_elements = self.tables.initial_elements.saturating_add(table.initial);
        self.maximum_elements.add(table.maximum);
    }

    fn custom(&mut self, section: &CustomSectionReader<'_>) -> Result<(), BinaryReaderError> {
        let known = section.as_known();
        if let KnownCustom::Name(names) = known {
            for name in names {
                if let Name::Function(functions) = name?
                    && functions.count() > 0
                    && self.module_bytes == self.largest.0
                {
                    self.largest.1 = true;
                }
            }
        } else if let KnownCustom::Producers(fields) = known {
            for field in fields {
                let field = field?;
                for value in field.values {
                    let value = value?;
                    self.tool(field.name, value.name, value.version);
                }
            }
        }
        Ok(())
    }

    fn tool(&mut self, role: &str, name: &str, version: &str) {
        let tool = Tool { role: role.to_owned(), name: name.to_owned(), version: version.to_owned() };
        if self.tools.len() < limits::MAX_LISTED_NAMES && !self.tools.contains(&tool) {
            self.tools.push(tool);
        }
    }

    fn contents(self) -> Contents {
        Contents {
            tools: self.tools,
            core_modules: self.core_modules,
            memories: Memories { maximum_bytes: self.maximum_bytes.get(), ..self.memories },
            tables: Tables { maximum_elements: self.maximum_elements.get(), ..self.tables },
            has_function_names: self.largest.1,
        }
    }
}
